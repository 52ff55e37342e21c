import { describe, expect, test } from 'vitest';
import { receiveEvent, type ClientEvent } from '../../../../shared/client/event.ts';
import type { EventData, EventType } from '../../../../shared/protocol/events.ts';
import { matchesAudit } from '../../../../webview/run/model/audit.ts';
import { createEgress, matchesEgress } from '../../../../webview/run/model/egress.ts';
import { createFiltered } from '../../../../webview/run/model/filtered.ts';
import { createProcesses, matchesProcess } from '../../../../webview/run/model/processes.ts';
import { commandLine, exitText, hostAndPort, summarize } from '../../../../webview/run/model/summary.ts';
import { everyEvent, runEvent, sampleData } from '../../../support/run-events.ts';
import { logWriter, sampleRun } from '../sample-run.ts';

type Told = { [T in EventType]: readonly [T, Partial<EventData<T>>?] }[EventType];
const eventsOf = (...told: readonly Told[]): ClientEvent[] =>
  told.map(([type, data], i) => runEvent(i + 1, type, { ...sampleData[type], ...data } as never) as ClientEvent);

describe('egress', () => {
  const model = createEgress();
  const told = eventsOf(
    ['egress.allowed', { connection: 'a', host: 'registry.example', rule: 'groups.packages' }],
    ['egress.denied', { connection: 'b', host: 'evil.example', reason: 'on no list' }],
    ['egress.closed', { connection: 'a', sentBytes: 5, receivedBytes: 7, ms: 3, error: 'reset' }],
    ['egress.closed', { connection: 'never seen' }],
  );
  for (const event of told) model.add(event);

  test('a connection is one row, and knows how it ended', () => {
    expect(model.rows).toMatchObject([
      { decision: 'allowed', closed: { sentBytes: 5, error: 'reset' } },
      { decision: 'denied' },
    ]);
    expect(model.rows[1]).not.toHaveProperty('closed');
    expect(model.denied).toBe(1);
  });

  test.each([
    ['all', '', ['a', 'b']],
    ['denied', '', ['b']],
    ['allowed', '', ['a']],
    ['all', 'evil', ['b']],
    ['all', 'groups.packages', ['a']],
    ['all', 'on no list', ['b']],
    ['allowed', 'evil', []],
  ] as const)('filter %s «%s»', (decision, text, shown) => {
    const rows = model.rows.filter((row) => matchesEgress(row, { decision, text }));
    expect(rows.map((row) => row.data.connection)).toEqual(shown);
  });
});

describe('processes', () => {
  const model = createProcesses();
  const exec = (pid: number, parentPid: number, argv: string[]): Told => ['process.exec', { pid, parentPid, argv }];
  const told = eventsOf(
    exec(10, 1, ['sh', '-c', 'make all']),
    exec(11, 10, ['make', 'all']),
    exec(11, 10, ['gmake', 'all']),
    ['process.connect', { pid: 11, process: 'gmake', address: '::1', port: 3128 }],
    ['process.exit', { pid: 11, exitCode: 2 }],
    exec(11, 10, ['ls']),
    ['process.exit', { pid: 99 }],
  );
  for (const event of told) model.add(event);

  test('show who started whom; a replaced program keeps its place, a used id is a new process', () => {
    expect(model.rows.map((row) => row.depth)).toEqual([0, 1, 1, 2, 1]);
    expect(model.rows[2]).toMatchObject({ exit: { exitCode: 2 } });
    expect(model.rows[1]).not.toHaveProperty('exit');
    expect(model.rows[4]).not.toHaveProperty('exit');
  });

  test.each([
    ['all', '', 5],
    ['connect', '', 1],
    ['exec', 'make all', 3],
    ['all', '[::1]:3128', 1],
    ['all', '10 ', 1],
  ] as const)('filter %s «%s»', (kind, text, count) => {
    expect(model.rows.filter((row) => matchesProcess(row, { kind, text }))).toHaveLength(count);
  });
});

describe('audit', () => {
  const events = sampleRun({ ended: true }).map(receiveEvent);
  test.each([
    ['all', '', events.length],
    ['approval', '', 2],
    ['all', 'rejected', 1],
    ['all', 'gateway', 4],
    ['process', 'vitest', 2],
    ['agent', 'agent.mood', 1],
    ['nothing', '', 0],
  ])('filter %s «%s»', (family, text, count) => {
    expect(events.filter((event) => matchesAudit(event, { family, text }))).toHaveLength(count);
  });

  test('every type has a summary of one line', () => {
    for (const event of everyEvent()) expect(summarize(event)).toMatch(/^\S[^\n]*$/);
  });

  test('a type that is not known is summarized by its data', () => {
    const { raw } = logWriter();
    expect(summarize(receiveEvent(raw('agent.mood', 'agent', { mood: 'good' })))).toBe('{"mood":"good"}');
    expect(summarize(receiveEvent(raw('x.y', 'agent', 'a'.repeat(1000)))).length).toBeLessThan(310);
  });
});

describe('a filter over a growing list', () => {
  const even = (n: number) => n % 2 === 0;

  test('goes on where it was, a slice at a time', () => {
    const source = Array.from({ length: 1000 }, (_, n) => n);
    const filtered = createFiltered(source, even);
    let time = 0;
    expect(filtered.advance(1, () => ++time)).toBe(true);
    expect([filtered.rows.length, filtered.done]).toEqual([128, false]);
    filtered.advance(Infinity);
    source.push(1000, 1001);
    expect(filtered.done).toBe(false);
    expect(filtered.advance(Infinity)).toBe(true);
    expect([filtered.rows.length, filtered.rows.at(-1)]).toEqual([501, 1000]);
    expect(filtered.advance(Infinity)).toBe(false);
  });

  test('notices an item that was replaced', () => {
    const source = [{ n: 0 }, { n: 1 }, { n: 2 }];
    const filtered = createFiltered(source, ({ n }) => even(n));
    filtered.advance(Infinity);
    source[2] = { n: 4 };
    expect(filtered.advance(Infinity)).toBe(true);
    expect(filtered.rows).toEqual([{ n: 0 }, { n: 4 }]);
  });

  test('begins again with another filter', () => {
    const filtered = createFiltered([1, 2, 3], even);
    filtered.advance(Infinity);
    filtered.refilter((n) => n > 1);
    filtered.advance(Infinity);
    expect(filtered.rows).toEqual([2, 3]);
  });
});

test.each([
  [['ls', '-l'], 'ls -l'],
  [[], '/bin/x'],
  [['sh', '-c', "echo 'a b'"], String.raw`sh -c 'echo '\''a b'\'''`],
  [['a', ''], `a ''`],
])('argv %j reads %s', (argv, text) => expect(commandLine(argv, '/bin/x')).toBe(text));

test.each([
  ['example.com', 443, 'example.com:443'],
  ['::1', 80, '[::1]:80'],
  ['::1', undefined, '[::1]'],
])('%s and %s are %s', (host, port, text) => expect(hostAndPort(host, port)).toBe(text));

test.each([
  [{ exitCode: 0 }, 'exit 0'],
  [{ exitCode: 137, signal: 9 }, 'signal 9'],
  [{ signal: 0, exitCode: 1 }, 'exit 1'],
  [{}, 'ended'],
])('an end with %j is «%s»', (end, text) => expect(exitText(end)).toBe(text));
