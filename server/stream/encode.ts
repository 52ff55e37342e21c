import type { RunEvent } from '../../shared/protocol/events.ts';
import type { ServerMessage } from '../../shared/protocol/stream.ts';

/** The messages of live events, made once however many readers a run has; they go when the event goes. */
const encoded = new WeakMap<RunEvent, Buffer>();

export function encodeEvent(event: RunEvent): Buffer {
  const known = encoded.get(event);
  if (known) return known;
  const message = encodeMessage({ type: 'event', event });
  encoded.set(event, message);
  return message;
}

export function encodeMessage(message: ServerMessage): Buffer {
  return Buffer.from(JSON.stringify(message));
}
