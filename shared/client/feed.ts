import type { CaissonError } from '../protocol/errors.ts';
import type { ClientEvent } from './event.ts';

/** Whoever wants a run's events: called with each one exactly once and in order. */
export interface Subscriber {
  event(event: ClientEvent): void;
  /** Everything up to `seq` that was in the log when the subscription began has been delivered. */
  caughtUp?(seq: number): void;
  /** Nothing more will come; without an error where the connection was closed on this side. */
  ended(error?: CaissonError): void;
}

interface Reader {
  last: number;
  readonly subscriber: Subscriber;
}

/**
 * One run on the shared connection. The server has one subscription per run; its readers here may have begun at
 * different places, so each has its own position and the server's subscription begins at the lowest.
 */
export class Feed {
  readonly #readers = new Set<Reader>();
  /** Since when the first event after a new subscription is awaited; what the old one still sends is no gap. */
  #awaitingSince: number | null = null;
  #strays = 0;

  get empty(): boolean {
    return this.#readers.size === 0;
  }

  /** Where a subscription has to begin so that no reader misses anything. */
  get after(): number {
    return Math.min(...[...this.#readers].map((reader) => reader.last));
  }

  /** Adds a reader; the returned function takes it away. The server has to begin again, at `after`. */
  add(after: number, subscriber: Subscriber): () => void {
    const reader = { last: after, subscriber };
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  subscribed(now: number): void {
    this.#awaitingSince = now;
    this.#strays = 0;
  }

  /** @returns true when an event is missing and the run has to be subscribed to again */
  receive(event: ClientEvent): boolean {
    if (event.seq === this.after + 1) this.#awaitingSince = null;
    let gap = false;
    for (const reader of this.#readers) {
      if (event.seq <= reader.last) continue;
      if (event.seq === reader.last + 1) {
        reader.last = event.seq;
        reader.subscriber.event(event);
      } else gap = true;
    }
    if (gap && this.#awaitingSince !== null) this.#strays++;
    return gap && this.#awaitingSince === null;
  }

  /** @returns true when the server believes to have sent more than has arrived */
  caughtUp(seq: number): boolean {
    if (!this.empty && seq > this.after) return this.#awaitingSince === null;
    this.#awaitingSince = null;
    for (const reader of this.#readers) reader.subscriber.caughtUp?.(seq);
    return false;
  }

  /** True when events come, but for `ms` never the one that was asked for: the subscription did not take. */
  stalled(now: number, ms: number): boolean {
    return this.#strays > 0 && this.#awaitingSince !== null && now - this.#awaitingSince > ms;
  }

  end(error?: CaissonError): void {
    for (const reader of this.#readers) reader.subscriber.ended(error);
    this.#readers.clear();
  }
}
