import type { RunEvent } from '../../shared/protocol/events.ts';
import type { EventLog } from '../events/ports.ts';
import { createLiveBuffer, type LiveLimits } from './live-buffer.ts';

/** What one subscription is sent, in this order and without gaps: every event with `seq > after`. */
export type OutboxItem =
  | { readonly type: 'events'; readonly events: readonly RunEvent[] }
  | { readonly type: 'caught_up'; readonly seq: number }
  | { readonly type: 'lagged'; readonly seq: number };

export interface OutboxOptions {
  readonly log: Pick<EventLog, 'range' | 'subscribe'>;
  readonly runId: string;
  /** The last event that the reader has. */
  readonly after: number;
  readonly signal: AbortSignal;
  readonly limits?: Partial<LiveLimits>;
  /** Events read from the log at a time. */
  readonly pageSize?: number;
}

/**
 * Follows a run, in three phases:
 *
 * - *backfill*: pages from the log, until one is not full;
 * - *cutover*: live events are collected from here on, and then the log is read once more, to its end: whatever was
 *   written before the collecting began is in those pages, whatever came after is in the buffer, and what is in both is
 *   told apart by its `seq`;
 * - *live*: what was collected, as it comes.
 *
 * The reader pulls, so a slow one holds up only itself. When more than the limit is collected meanwhile, the buffer is
 * dropped, the reader is told `lagged`, and it starts again with backfill from where it is. Nothing is ever lost: the log
 * has it. The iteration ends when `signal` is aborted; it throws what the log throws, `gone` when the run is deleted.
 */
export async function* followRun(options: OutboxOptions): AsyncGenerator<OutboxItem, void, undefined> {
  const { log, runId, signal } = options;
  const pageSize = options.pageSize ?? 100;
  let sent = options.after;

  async function* readToEnd(): AsyncGenerator<OutboxItem, void, undefined> {
    for (;;) {
      const events = await log.range(runId, { after: sent, limit: pageSize });
      if (signal.aborted) return;
      if (events.length > 0) {
        sent = events.at(-1)!.seq;
        yield { type: 'events', events };
      }
      if (events.length < pageSize || signal.aborted) return;
    }
  }

  while (!signal.aborted) {
    yield* readToEnd();
    const live = createLiveBuffer(options.limits);
    const unsubscribe = log.subscribe(runId, live.push, live.drop);
    try {
      yield* readToEnd();
      if (signal.aborted) return;
      if (!live.overflowed()) yield { type: 'caught_up', seq: sent };
      for (;;) {
        await live.ready(signal);
        if (signal.aborted) return;
        const collected = live.take();
        if (collected === 'overflowed') break;
        const events = collected.filter((event) => event.seq > sent);
        if (events.length === 0) continue;
        // The log publishes without gaps. Should one ever appear, the log itself closes it: backfill again.
        if (events[0]!.seq !== sent + 1) break;
        sent = events.at(-1)!.seq;
        yield { type: 'events', events };
      }
    } finally {
      unsubscribe();
    }
    yield { type: 'lagged', seq: sent };
  }
}
