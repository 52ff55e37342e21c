import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { HistoryFromWebview } from '../../../../shared/protocol/panel.ts';
import type { Host, Outcome } from '../../../../webview/kit/host-port.ts';
import { toCsv, toJson } from '../../../../webview/history/csv.ts';
import { createLoader } from '../../../../webview/history/loader.ts';
import { noFilters, queryOf } from '../../../../webview/history/query.ts';
import { columns, runMs, sortRows, totalsOf } from '../../../../webview/history/rows.ts';
import { sampleHistory, sampleRow } from '../sample-history.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const names = new Map([['mem_1', 'Ada "the lead", Okafor']]);

describe('the query', () => {
  test('asks for nothing that was not chosen', () => expect(queryOf(noFilters, NOW)).toEqual({ states: [] }));

  test('asks for all that was chosen', () => {
    const chosen = { state: 'active', member: 'mem_1', environment: 'env_1', since: 'week', text: '  tests ' } as const;
    expect(queryOf(chosen, NOW)).toEqual({
      states: ['queued', 'preparing', 'running', 'waiting', 'paused'],
      member: 'mem_1',
      environment: 'env_1',
      from: '2026-11-15T12:00:00.000Z',
      text: 'tests',
    });
  });

  test.each([
    ['failed', ['failed']],
    ['ended', ['succeeded', 'failed', 'canceled', 'timed_out', 'over_budget']],
    ['all', []],
  ])('the state %s stands for %j', (state, states) => {
    expect(queryOf({ ...noFilters, state }, NOW).states).toEqual(states);
  });
});

describe('the rows', () => {
  const { rows } = sampleHistory;

  test.each(columns.map((column) => [column]))('sort by %s both ways, without losing any', (column) => {
    const up = sortRows(rows, { column, descending: false }, names, NOW);
    const down = sortRows(rows, { column, descending: true }, names, NOW);
    expect(new Set(up)).toEqual(new Set(rows));
    expect(down).toHaveLength(rows.length);
    expect(up).not.toEqual(down);
  });

  test('without a value go to the end, whichever way', () => {
    const some = [sampleRow(0), sampleRow(5), sampleRow(7)];
    for (const descending of [true, false])
      expect(sortRows(some, { column: 'tokens', descending }, names, NOW).at(-1)).toBe(some[0]);
  });

  test('that are equal keep the order of the server', () => {
    const same = [3, 1, 2].map((n) => sampleRow(n, { title: 'same' }));
    expect(sortRows(same, { column: 'title', descending: true }, names, NOW)).toEqual(same);
  });

  test('add up', () => {
    const three = [sampleRow(5), sampleRow(6), sampleRow(2)];
    expect(totalsOf(three, NOW)).toEqual({
      runs: 3,
      active: 1,
      succeeded: 1,
      failed: 1,
      ms: 93_000 + 94_000 + runMs(three[2]!, NOW),
      denied: 1 + 2 + 2,
      tokens: 5050 + 6060,
    });
  });
});

describe('the export', () => {
  const line = (csv: string, n: number) => csv.split('\r\n')[n]!;

  test('has a line for each run, and quotes what needs it (RFC 4180)', () => {
    const csv = toCsv([sampleRow(0, { title: 'one, "two"\nthree' })], names);
    expect(line(csv, 0)).toMatch(/^id,title,state,failure,member,/);
    expect(csv).toContain('"one, ""two""\nthree",queued,,"Ada ""the lead"", Okafor",default,claude,');
    expect(csv.endsWith('\r\n')).toBe(true);
  });

  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\t=1'])('a title %j is no formula in a spreadsheet', (title) => {
    expect(toCsv([sampleRow(0, { title })], names)).toContain(`,'${title},`);
  });

  test('has as many fields in each line as names in the first, whatever the titles', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(',', '"', '\n', '\r', '=', 'a') }), (title) => {
        const csv = toCsv([sampleRow(1, { title })], names);
        const fields = csv
          .slice(csv.indexOf('\r\n') + 2)
          .replace(/"(?:[^"]|"")*"/g, 'q')
          .trimEnd()
          .split(',');
        expect(fields).toHaveLength(line(csv, 0).split(',').length);
      }),
    );
  });

  test('as JSON is what the API gives', () => {
    expect(JSON.parse(toJson(sampleHistory.rows))).toEqual(JSON.parse(JSON.stringify(sampleHistory.rows)));
  });
});

describe('loading', () => {
  function hostDouble() {
    const questions: { request: number; cursor?: string | undefined; answer: (outcome: Outcome) => void }[] = [];
    const ask: Host<HistoryFromWebview>['ask'] = (message, onNumber) =>
      new Promise((answer) => {
        const request = questions.length + 1;
        questions.push({ request, answer, cursor: 'cursor' in message ? message.cursor : undefined });
        onNumber?.(request);
      });
    const loader = createLoader({ ask } as Host<HistoryFromWebview>, vi.fn<() => void>());
    const reply = (n: number, rows: number[], nextCursor?: string): void => {
      const { request, answer } = questions[n]!;
      loader.receive({ type: 'rows', request, rows: rows.map((row) => sampleRow(row)), nextCursor });
      answer({ ok: true });
    };
    return { questions, loader, reply };
  }

  test('goes on from the server’s cursor', async () => {
    const { questions, loader, reply } = hostDouble();
    const first = loader.begin(noFilters);
    reply(0, [1, 2], 'c1');
    await first;
    expect(loader.more).toBe(true);
    const all = loader.all(100);
    reply(1, [3], undefined);
    await all;
    expect(questions[1]!.cursor).toBe('c1');
    expect([loader.rows.length, loader.more, loader.loading]).toEqual([3, false, false]);
  });

  test('an answer to an older question changes nothing', async () => {
    const { loader, reply } = hostDouble();
    const [old, current] = [loader.begin(noFilters), loader.begin({ ...noFilters, text: 'new' })];
    reply(1, [7]);
    reply(0, [1, 2, 3], 'c');
    await Promise.all([old, current]);
    expect(loader.rows.map((row) => row.processes)).toEqual([7]);
    expect([loader.more, loader.loading]).toEqual([false, false]);
  });

  test('a failure is told, and ends loading everything', async () => {
    const { questions, loader, reply } = hostDouble();
    const first = loader.begin(noFilters);
    reply(0, [1], 'c');
    await first;
    const all = loader.all(100);
    questions[1]!.answer({ ok: false, message: 'The server does not answer.' });
    await all;
    expect([loader.problem, loader.rows.length]).toEqual(['The server does not answer.', 1]);
  });
});
