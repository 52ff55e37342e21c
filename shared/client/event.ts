import { isEventType, parseEvent, type RunEvent, type UnknownEvent } from '../protocol/events.ts';

/** An event as a client handles it: of a type that it knows, or kept as it came. */
export type ClientEvent = RunEvent | UnknownEvent;

/**
 * Checks an event that came from a server. Its data stays exactly as it was sent: a newer server may add fields, and
 * the chain's commitment covers them too.
 * @throws {z.ZodError} when it is malformed
 */
export function receiveEvent(input: unknown): ClientEvent {
  const event = parseEvent(input);
  return { ...event, data: (input as { data: unknown }).data } as ClientEvent;
}

/** The event as the server sent it, under its original type: what `--json` prints and the hash chain covers. */
export function originalEvent(event: ClientEvent): Omit<ClientEvent, 'type'> & { type: string } {
  return { ...event, type: event.type.replace(/^unknown:/, '') };
}

export function isKnownEvent(event: ClientEvent): event is RunEvent {
  return isEventType(event.type);
}
