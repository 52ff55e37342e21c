import type { NewEvent, RunEvent } from '../../shared/protocol/events.ts';

/** The log cannot take events: the disk is full or gone, or the run has reached its limit. The run must stop. */
export class LogUnavailable extends Error {
  override readonly name = 'LogUnavailable';
  readonly code: 'log_unavailable' | 'log_limit';
  constructor(code: 'log_unavailable' | 'log_limit', message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}

export interface RangeQuery {
  /** Events with a greater `seq`. */
  readonly after: number;
  readonly limit: number;
  /** Only these types; a family is written `egress.*`. */
  readonly types?: readonly string[];
}

/** The one writer and the one source of a run's history. */
export interface EventLog {
  /**
   * Gives each event its `seq`, time and hash, and resolves when they are durable; only then do subscribers see them.
   * Events of one call stay together and in order; calls are ordered as they are made.
   * @throws {LogUnavailable} when they could not be written; nothing of the call is then visible, now or later
   */
  append(runId: string, events: readonly NewEvent[]): Promise<readonly RunEvent[]>;
  range(runId: string, query: RangeQuery): Promise<readonly RunEvent[]>;
  /** The last durable event's place, `{ seq: 0, hash: '00…' }` for a run without events. */
  head(runId: string): Promise<{ seq: number; hash: string }>;
  /**
   * Calls `listener` with each durable batch from now on, in order, and `onDestroyed` when the run's data was destroyed
   * (`range` then throws `gone`). Returns the unsubscribe function.
   */
  subscribe(runId: string, listener: (events: readonly RunEvent[]) => void, onDestroyed?: () => void): () => void;
}
