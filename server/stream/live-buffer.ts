import type { RunEvent } from '../../shared/protocol/events.ts';
import { encodeEvent } from './encode.ts';

/** How much may wait for one reader before it is sent back to the log. */
export interface LiveLimits {
  readonly events: number;
  readonly bytes: number;
}

const DEFAULT_LIMITS: LiveLimits = { events: 1000, bytes: 4 * 1024 * 1024 };

/** Events that have become durable and that the reader has not taken yet. Bounded: what is too much is dropped whole. */
export interface LiveBuffer {
  readonly push: (events: readonly RunEvent[]) => void;
  /** Forgets what is held and takes no more: only the log can tell how it goes on. */
  readonly drop: () => void;
  /** Resolves when there is something to take, or when `signal` is aborted. */
  ready(signal: AbortSignal): Promise<void>;
  take(): readonly RunEvent[] | 'overflowed';
  overflowed(): boolean;
}

export function createLiveBuffer(limits: Partial<LiveLimits> = {}): LiveBuffer {
  const max = { ...DEFAULT_LIMITS, ...limits };
  let held: RunEvent[] = [];
  let bytes = 0;
  let overflow = false;
  let wake: (() => void) | undefined;

  const drop = (): void => {
    overflow = true;
    held = [];
    wake?.();
  };

  return {
    push(events) {
      if (overflow) return;
      for (const event of events) {
        held.push(event);
        // The text is made once for all readers, and has to be made anyway.
        bytes += encodeEvent(event).length;
      }
      if (held.length > max.events || bytes > max.bytes) drop();
      else wake?.();
    },
    drop,
    async ready(signal) {
      if (overflow || held.length > 0 || signal.aborted) return;
      await new Promise<void>((resolve) => {
        const done = () => {
          wake = undefined;
          signal.removeEventListener('abort', done);
          resolve();
        };
        wake = done;
        signal.addEventListener('abort', done, { once: true });
      });
    },
    take() {
      if (overflow) return 'overflowed';
      const taken = held;
      held = [];
      bytes = 0;
      return taken;
    },
    overflowed: () => overflow,
  };
}
