import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogUnavailable } from '../../../server/events/ports.ts';
import type { NewEvent, RunEvent } from '../../../shared/protocol/events.ts';
import { parseEvent } from '../../../shared/protocol/events.ts';
import { verifyChain } from '../../../shared/audit/verify.ts';
import { createBench, says, type Bench } from './support.ts';

const all = { after: 0, limit: 1000 };
const texts = (events: readonly RunEvent[]) => events.map((event) => (event.data as { text: string }).text);
const read = async (bench: Bench, runId: string) => texts(await bench.log.range(runId, all));
const verified = async (bench: Bench, runId: string) =>
  verifyChain(await bench.log.range(runId, all), { expectedHead: await bench.log.head(runId), runId });

describe('the event log', () => {
  test('gives places without gaps, and a chain that verifies, whatever is appended at the same time', async () => {
    const calls = fc.array(
      fc.record({ run: fc.constantFrom('run_a', 'run_b', 'run_c'), count: fc.integer({ min: 0, max: 4 }) }),
    );
    await fc.assert(
      fc.asyncProperty(calls, async (plan) => {
        await using bench = await createBench();
        const seen = new Map<string, RunEvent[]>();
        for (const run of ['run_a', 'run_b', 'run_c']) {
          seen.set(run, []);
          bench.log.subscribe(run, (events) => seen.get(run)!.push(...events));
        }
        const written = await Promise.all(
          plan.map(({ run, count }, call) =>
            bench.log.append(
              run,
              Array.from({ length: count }, (_, index) => says(`${call}.${index}`)),
            ),
          ),
        );
        for (const [run, live] of seen) {
          const stored = await bench.log.range(run, all);
          expect(stored.map((event) => event.seq)).toEqual(stored.map((_, index) => index + 1));
          expect(live).toEqual(stored);
          // Calls are in the order in which they were made, and each one's events together.
          expect(stored).toEqual(written.flat().filter((event) => event.runId === run));
          expect(await verified(bench, run)).toMatchObject({ ok: true, lastSeq: stored.length });
        }
      }),
      { numRuns: 25 },
    );
  });

  test('goes on where it stopped, after a restart and for a run it has forgotten', async () => {
    await using bench = await createBench();
    await bench.log.append('run_a', [says('1'), says('2')]);
    bench.log.release('run_a');
    await bench.log.append('run_a', [says('3')]);
    await bench.log.close();
    await expect(bench.log.append('run_a', [says('lost')])).rejects.toBeInstanceOf(LogUnavailable);
    bench.log = await bench.open();
    await bench.log.append('run_a', [says('4')]);
    expect(await read(bench, 'run_a')).toEqual(['1', '2', '3', '4']);
    expect(await verified(bench, 'run_a')).toMatchObject({ ok: true, lastSeq: 4 });
    expect(await bench.log.head('run_b')).toEqual({ seq: 0, hash: '0'.repeat(64) });
  });

  test('commits what arrives together as one, and nothing else waits for a large run', async () => {
    await using bench = await createBench();
    const appends = Array.from({ length: 90 }, (_, run) => bench.log.append(`run_${run}`, [says('x')]));
    await Promise.all(appends);
    expect(bench.commits).toBe(1);
    // A flood is written in several transactions, so that the process does not stand still.
    await Promise.all(Array.from({ length: 1000 }, () => bench.log.append('run_a', [says('y')])));
    expect(bench.commits).toBeGreaterThanOrEqual(1 + Math.floor(1000 / 100));
    expect((await bench.log.head('run_a')).seq).toBe(1000);
  });

  test('shows an event to nobody before it is in the store', async () => {
    await using bench = await createBench();
    const stored: number[] = [];
    bench.log.subscribe('run_a', (events) => {
      const count = bench.database.prepare("SELECT count(*) FROM c_events WHERE _id LIKE 'run_a/%'").all()[0] as number;
      stored.push(count - events.at(-1)!.seq);
    });
    await Promise.all(Array.from({ length: 300 }, (_, n) => bench.log.append('run_a', [says(String(n))])));
    expect(stored).toHaveLength(300);
    expect(Math.min(...stored)).toBe(0);
  });

  test('a subscriber that throws, or leaves in the middle, harms nobody', async () => {
    await using bench = await createBench();
    const heard: string[] = [];
    const leave = bench.log.subscribe('run_a', () => {
      leave();
      throw new Error('broken subscriber');
    });
    bench.log.subscribe('run_a', (events) => heard.push(...texts(events)));
    await bench.log.append('run_a', [says('1')]);
    await bench.log.append('run_a', [says('2')]);
    expect(heard).toEqual(['1', '2']);
  });

  test('every event is one that a client can parse', async () => {
    await using bench = await createBench();
    const [event] = await bench.log.append('run_a', [says('x')]);
    expect(parseEvent(JSON.parse(JSON.stringify(event)))).toEqual(event);
  });

  test('data that does not fit its type is refused and leaves no trace', async () => {
    await using bench = await createBench();
    const wrong = { type: 'agent.message', actor: 'agent', data: { words: 'x' } } as unknown as NewEvent;
    await expect(bench.log.append('run_a', [says('x'), wrong])).rejects.toMatchObject({ code: 'internal' });
    expect(await bench.log.range('run_a', all)).toEqual([]);
  });

  test('hostile data is cut, kept, and verifies', async () => {
    await using bench = await createBench({ maxEventBytes: 10_000 });
    let deep: unknown = 'bottom';
    for (let level = 0; level < 50_000; level++) deep = [deep];
    const input = JSON.parse('{"__proto__": {"polluted": true}, "half": "\\ud83d"}') as object;
    await bench.log.append('run_a', [
      says('x'.repeat(1_000_000)),
      {
        type: 'agent.tool_call',
        actor: 'agent',
        data: { id: '1', title: 't', kind: 'k', status: 's', paths: [], input: deep },
      },
      {
        type: 'agent.tool_call',
        actor: 'agent',
        data: { id: '2', title: 't', kind: 'k', status: 's', paths: [], input },
      },
    ]);
    const [large, nested, odd] = await bench.log.range('run_a', all);
    expect(large!.data).toMatchObject({
      text: expect.stringMatching(/^x{5000}…truncated \(995000 more characters\)$/),
    });
    expect(JSON.stringify(nested!.data)).toContain('…truncated');
    expect(JSON.stringify(odd!.data)).toContain('"input":{"__proto__":{"polluted":true},"half":"\ufffd"}');
    expect(await verified(bench, 'run_a')).toMatchObject({ ok: true, lastSeq: 3 });
  });

  describe('reading', () => {
    test('gives pages, and only the types that were asked for', async () => {
      await using bench = await createBench();
      const closed = (connection: string): NewEvent => ({
        type: 'egress.closed',
        actor: 'gateway',
        data: { connection, sentBytes: 1, receivedBytes: 1, ms: 1 },
      });
      const stderr: NewEvent = { type: 'agent.stderr', actor: 'agent', data: { text: 'e' } };
      await bench.log.append('run_a', [says('1'), closed('2'), stderr, says('4'), closed('5'), says('6')]);
      await bench.log.append('run_b', [closed('1')]);
      const seqs = async (after: number, limit: number, ...types: string[]) =>
        (await bench.log.range('run_a', types.length === 0 ? { after, limit } : { after, limit, types })).map(
          (e) => e.seq,
        );
      expect(await seqs(0, 2)).toEqual([1, 2]);
      expect(await seqs(2, 2)).toEqual([3, 4]);
      expect(await seqs(5, 10)).toEqual([6]);
      expect(await seqs(6, 10)).toEqual([]);
      expect(await seqs(0, 0)).toEqual([]);
      expect(await seqs(0, 10, 'egress.*')).toEqual([2, 5]);
      expect(await seqs(0, 10, 'agent.*')).toEqual([1, 3, 4, 6]);
      expect(await seqs(1, 2, 'agent.message', 'egress.closed')).toEqual([2, 4]);
      expect(await seqs(0, 10, 'nothing.*', 'agent')).toEqual([]);
    });
  });

  describe('at rest', () => {
    test('a run without its key cannot be read or written, and its chain still verifies', async () => {
      await using bench = await createBench();
      await bench.log.append('run_a', [says('private'), says('too')]);
      const head = await bench.log.head('run_a');
      await bench.log.destroyKey('run_a');
      await expect(bench.log.range('run_a', all)).rejects.toMatchObject({ code: 'gone' });
      await expect(bench.log.append('run_a', [says('more')])).rejects.toMatchObject({ code: 'gone' });
      const links = await bench.log.links('run_a', all);
      expect(verifyChain(links, { expectedHead: head })).toMatchObject({ ok: true, lastSeq: 2 });
      expect(JSON.stringify(links)).not.toContain('private');
    });

    test('neither the data nor the nonce of an event is in the record', async () => {
      await using bench = await createBench();
      const [event] = await bench.log.append('run_a', [says('private')]);
      const [record] = bench.database.prepare('SELECT doc FROM c_events').all() as string[];
      expect(record).not.toContain('private');
      expect(record).not.toContain(event!.nonce);
      expect(record).toContain(event!.hash);
    });

    test('a record that was moved to another place does not open there', async () => {
      await using bench = await createBench();
      await bench.log.append('run_a', [says('1'), says('2')]);
      const [first] = bench.database.prepare(`SELECT json_extract(doc, '$.sealed') FROM c_events`).all() as string[];
      bench.database.prepare(`UPDATE c_events SET doc = json_set(doc, '$.sealed', ?) WHERE _id LIKE '%2'`).run(first!);
      await expect(bench.log.range('run_a', all)).rejects.toThrow(/was changed/);
    });
  });

  describe('fails closed', () => {
    test('when a transaction fails, all its calls fail, nobody sees an event, and the chain goes on without a gap', async () => {
      await using bench = await createBench();
      const seen: string[] = [];
      bench.log.subscribe('run_a', (events) => seen.push(...texts(events)));
      bench.log.subscribe('run_b', (events) => seen.push(...texts(events)));
      await bench.log.append('run_a', [says('before')]);
      bench.failure = new Error('disk I/O error');
      const lost = await Promise.allSettled([
        bench.log.append('run_a', [says('lost 1')]),
        bench.log.append('run_a', [says('lost 2'), says('lost 3')]),
        bench.log.append('run_b', [says('lost 4')]),
      ]);
      expect(lost.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected']);
      for (const result of lost) expect(result).toMatchObject({ reason: { code: 'log_unavailable' } });
      bench.failure = undefined;
      await bench.log.append('run_a', [says('after')]);
      await bench.log.append('run_b', [says('first')]);
      expect(await read(bench, 'run_a')).toEqual(['before', 'after']);
      expect(seen).toEqual(['before', 'after', 'first']);
      expect(await verified(bench, 'run_a')).toMatchObject({ ok: true, lastSeq: 2 });
      expect(await verified(bench, 'run_b')).toMatchObject({ ok: true, lastSeq: 1 });
    });

    test('on a disk that is really full', async () => {
      await using bench = await createBench();
      await bench.log.append('run_a', [says('before')]);
      const [pages] = bench.database.prepare('PRAGMA page_count').all() as number[];
      bench.database.execute(`PRAGMA max_page_count = ${pages! + 2}`);
      const big = says('x'.repeat(100_000));
      const small = says('small');
      const lost = await Promise.allSettled([
        bench.log.append('run_a', [small]),
        bench.log.append('run_b', [small, big]),
      ]);
      for (const result of lost) expect(result).toMatchObject({ reason: { code: 'log_unavailable', message: /full/ } });
      expect(await read(bench, 'run_a')).toEqual(['before']);
      expect(await bench.log.head('run_b')).toMatchObject({ seq: 0 });
      bench.database.execute('PRAGMA max_page_count = 100000');
      await bench.log.append('run_a', [says('after')]);
      expect(await read(bench, 'run_a')).toEqual(['before', 'after']);
      expect(await verified(bench, 'run_a')).toMatchObject({ ok: true, lastSeq: 2 });
    });

    test('a run that has reached its limit can still say how it ended', async () => {
      await using bench = await createBench({ maxEventsPerRun: 3, maxBytesPerRun: 1000 });
      await bench.log.append('run_a', [says('1'), says('2')]);
      await expect(bench.log.append('run_a', [says('3'), says('4')])).rejects.toMatchObject({ code: 'log_limit' });
      await bench.log.append('run_a', [says('3')]);
      await expect(bench.log.append('run_a', [says('4')])).rejects.toMatchObject({ code: 'log_limit' });
      const end: NewEvent = {
        type: 'run.state',
        actor: 'server',
        data: { from: 'running', to: 'failed', failure: { code: 'log_limit', message: 'too much' } },
      };
      await bench.log.append('run_a', [end]);
      expect((await bench.log.head('run_a')).seq).toBe(4);
      await expect(bench.log.append('run_b', [says('x'.repeat(1000))])).rejects.toMatchObject({ code: 'log_limit' });
    });
  });
});
