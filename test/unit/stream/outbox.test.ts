import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { followRun, type OutboxItem } from '../../../server/stream/outbox.ts';
import { createFakeLog, RUN } from './support.ts';

/** The phases as a reader sees them: `1-3 caught_up@3 4-4`. */
function summary(items: readonly OutboxItem[]): string {
  return items
    .map((item) =>
      item.type === 'events' ? `${item.events[0]!.seq}-${item.events.at(-1)!.seq}` : `${item.type}@${item.seq}`,
    )
    .join(' ');
}

describe('the outbox', () => {
  test('delivers every event after `after`, once and in order, however reads, writes and the reader interleave', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.record({
          before: fc.nat(8),
          after: fc.nat(10),
          appends: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 8 }),
          pageSize: fc.integer({ min: 1, max: 4 }),
          buffer: fc.integer({ min: 1, max: 6 }),
        }),
        async (scheduler, { before, after, appends, pageSize, buffer }) => {
          const log = createFakeLog(() => scheduler.schedule(Promise.resolve()));
          const names = (count: number) => Array.from({ length: count }, () => 'x');
          if (before > 0) log.append(RUN, names(before));
          const total = before + appends.reduce((sum, count) => sum + count, 0);

          const abort = new AbortController();
          const items: OutboxItem[] = [];
          const delivered: number[] = [];
          const everything = withResolvers();
          const reader = async () => {
            const limits = { events: buffer };
            for await (const item of followRun({ log, runId: RUN, after, signal: abort.signal, pageSize, limits })) {
              items.push(item);
              if (item.type === 'events') delivered.push(...item.events.map((event) => event.seq));
              if (item.type === 'caught_up' && item.seq >= total) everything.resolve();
              if (delivered.at(-1) === total) everything.resolve();
              // A reader of any speed.
              await scheduler.schedule(Promise.resolve());
            }
          };
          const writer = async () => {
            for (const count of appends) {
              await scheduler.schedule(Promise.resolve());
              log.append(RUN, names(count));
            }
          };
          const reading = reader();
          await scheduler.waitFor(Promise.all([everything.promise, writer()]));
          abort.abort();
          await scheduler.waitFor(reading);

          const expected = Array.from({ length: Math.max(0, total - after) }, (_, index) => after + index + 1);
          expect(delivered).toEqual(expected);
          // «Caught up» and «lagged» speak of what has been sent at that point.
          let sent = after;
          for (const item of items) {
            if (item.type === 'events') sent = item.events.at(-1)!.seq;
            else expect(item.seq).toBe(sent);
          }
          expect(log.subscribers).toBe(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('reads the log to its end, says so, and goes on live', async () => {
    const log = createFakeLog();
    log.append(RUN, ['1', '2', '3', '4', '5']);
    const abort = new AbortController();
    const items: OutboxItem[] = [];
    for await (const item of followRun({ log, runId: RUN, after: 1, signal: abort.signal, pageSize: 2 })) {
      items.push(item);
      if (item.type === 'caught_up') setImmediate(() => log.append(RUN, ['6', '7']));
      if (item.type === 'events' && item.events.at(-1)!.seq === 7) abort.abort();
    }
    expect(summary(items)).toBe('2-3 4-5 caught_up@5 6-7');
  });

  test('a reader who is too slow is told, and then reads the log again from where it is', async () => {
    const log = createFakeLog();
    log.append(RUN, ['1']);
    const abort = new AbortController();
    const items: OutboxItem[] = [];
    const limits = { events: 3 };
    for await (const item of followRun({ log, runId: RUN, after: 0, signal: abort.signal, limits })) {
      items.push(item);
      if (items.length === 2) for (let seq = 2; seq <= 9; seq++) log.append(RUN, [String(seq)]);
      if (item.type === 'caught_up' && item.seq === 9) log.append(RUN, ['10']);
      if (item.type === 'events' && item.events.at(-1)!.seq === 10) abort.abort();
    }
    expect(summary(items)).toBe('1-1 caught_up@1 lagged@1 2-9 caught_up@9 10-10');
  });

  test('what waits for a slow reader is bounded in bytes, too', async () => {
    const log = createFakeLog();
    const abort = new AbortController();
    const items: OutboxItem[] = [];
    for await (const item of followRun({ log, runId: RUN, after: 0, signal: abort.signal, limits: { bytes: 5000 } })) {
      items.push(item);
      if (items.length === 1) log.append(RUN, ['x'.repeat(3000), 'x'.repeat(3000)]);
      if (item.type === 'events') abort.abort();
    }
    expect(summary(items)).toBe('caught_up@0 lagged@0 1-2');
  });

  test('a reader of a run that is deleted is told so, also while it waits', async () => {
    const log = createFakeLog();
    log.append(RUN, ['1']);
    const items: OutboxItem[] = [];
    const reading = (async () => {
      for await (const item of followRun({ log, runId: RUN, after: 0, signal: new AbortController().signal })) {
        items.push(item);
        if (item.type === 'caught_up') setImmediate(() => log.destroy(RUN));
      }
    })();
    await expect(reading).rejects.toMatchObject({ code: 'gone' });
    expect(summary(items)).toBe('1-1 caught_up@1 lagged@1');
    expect(log.subscribers).toBe(0);
  });

  test('a reader who knows more than the log waits for what it does not know', async () => {
    const log = createFakeLog();
    log.append(RUN, ['1']);
    const abort = new AbortController();
    const items: OutboxItem[] = [];
    for await (const item of followRun({ log, runId: RUN, after: 3, signal: abort.signal })) {
      items.push(item);
      if (items.length === 1) log.append(RUN, ['2', '3', '4']);
      else abort.abort();
    }
    expect(summary(items)).toBe('caught_up@3 4-4');
  });
});

function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
}
