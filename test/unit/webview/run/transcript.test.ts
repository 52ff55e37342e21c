import { describe, expect, test } from 'vitest';
import { receiveEvent, type ClientEvent } from '../../../../shared/client/event.ts';
import type { EventData, EventType } from '../../../../shared/protocol/events.ts';
import { OUTPUT_LIMIT, type Item } from '../../../../webview/run/model/items.ts';
import { createTranscript } from '../../../../webview/run/model/transcript.ts';
import { everyEvent, runEvent, sampleData } from '../../../support/run-events.ts';
import { sampleRun } from '../sample-run.ts';

type Told = { [T in EventType]: readonly [T, Partial<EventData<T>>?] }[EventType];

/** The items of a run in which these things happened. */
function itemsOf(...told: readonly Told[]): readonly Item[] {
  const transcript = createTranscript();
  for (const [i, [type, data]] of told.entries())
    transcript.add(runEvent(i + 1, type, { ...sampleData[type], ...data } as never) as ClientEvent);
  return transcript.items;
}
const kinds = (items: readonly Item[]) => items.map((item) => item.kind);

describe('the transcript', () => {
  test('of a recorded run, in order', () => {
    const transcript = createTranscript();
    for (const event of sampleRun({ ended: true })) transcript.add(receiveEvent(event));
    expect(kinds(transcript.items).join(' ')).toBe(
      'prompt notice notice output notice thought plan tool tool message tool denied plan unknown output approval ' +
        'prompt message notice result notice notice',
    );
    expect(new Set(transcript.items.map((item) => item.key)).size).toBe(transcript.items.length);
  });

  test('has a place for every type of event', () => {
    const transcript = createTranscript();
    for (const event of everyEvent()) expect(() => transcript.add(event)).not.toThrow();
  });

  test('joins the pieces of a message, whatever the kernel and the gateway see meanwhile', () => {
    const items = itemsOf(
      ['agent.message', { text: 'one ' }],
      ['process.exec'],
      ['egress.allowed'],
      ['agent.message', { text: 'two' }],
      ['agent.thought', { text: 'hm' }],
      ['agent.message', { text: 'three' }],
    );
    expect(items).toMatchObject([
      { key: 'e1', kind: 'message', text: 'one two' },
      { key: 'e5', kind: 'thought' },
      { key: 'e6', kind: 'message', text: 'three' },
    ]);
  });

  test.each([
    ['shell', true],
    ['acp', false],
  ])('what an agent over %s says is plain output: %s', (protocol, plain) => {
    const items = itemsOf(['agent.started', { protocol }], ['agent.message']);
    expect(items[1]).toMatchObject({ kind: 'message', plain });
  });

  test('an item that goes on is a new object with the same key', () => {
    const transcript = createTranscript();
    transcript.add(runEvent(1, 'agent.tool_call') as ClientEvent);
    const before = transcript.items[0]!;
    transcript.add(runEvent(2, 'agent.tool_result') as ClientEvent);
    const after = transcript.items[0]!;
    expect(before).toMatchObject({ status: 'in_progress', output: '' });
    expect(after).toMatchObject({ key: before.key, status: 'completed', output: 'ok 1\nok 2', title: 'npm test' });
  });

  test('the content of a tool call is replaced, and kept where an update has none', () => {
    const items = itemsOf(
      ['agent.tool_call', { id: 'a' }],
      ['agent.tool_result', { id: 'a', text: 'half', status: 'in_progress' }],
      ['agent.tool_result', { id: 'a', text: 'whole', status: 'in_progress' }],
      ['agent.tool_result', { id: 'a', text: '', status: 'completed', title: 'Now it has a name' }],
    );
    expect(items).toMatchObject([{ output: 'whole', status: 'completed', title: 'Now it has a name' }]);
  });

  test('a result without its call is shown all the same', () => {
    expect(itemsOf(['agent.tool_result', { id: 'lost', text: 'x' }])).toMatchObject([
      { kind: 'tool', title: 'lost', output: 'x' },
    ]);
  });

  test('output of a step is one item, open as long as the step runs, and says how it ended', () => {
    const script = { step: 'setup' as const };
    const items = itemsOf(
      ['sandbox.step', { ...script, phase: 'started' }],
      ['sandbox.output', { ...script, text: 'a\n' }],
      ['agent.message'],
      ['sandbox.output', { ...script, text: 'b\n' }],
      ['sandbox.step', { ...script, phase: 'finished', exitCode: 3, ms: 12 }],
    );
    expect(items[0]).toMatchObject({ kind: 'output', text: 'a\nb\n', state: 'failed', exitCode: 3, ms: 12 });
    expect(items).toHaveLength(2);
  });

  test('a step that fails in silence is shown, one that succeeds in silence is not', () => {
    const silent = (exitCode: number) => itemsOf(['sandbox.step', { step: 'setup', phase: 'finished', exitCode }]);
    expect(kinds(silent(1))).toEqual(['output']);
    expect(silent(0)).toEqual([]);
  });

  test('of very much output only the end is kept', () => {
    const text = 'x'.repeat(OUTPUT_LIMIT);
    const [item] = itemsOf(['sandbox.output', { text }], ['sandbox.output', { text: 'the end' }]);
    expect(item).toMatchObject({ truncated: true });
    expect((item as { text: string }).text).toHaveLength(OUTPUT_LIMIT);
    expect((item as { text: string }).text.endsWith('the end')).toBe(true);
  });

  test('an approval is answered in its place', () => {
    const items = itemsOf(['approval.requested'], ['agent.message'], ['approval.resolved', { outcome: 'rejected' }]);
    expect(items[0]).toMatchObject({ kind: 'approval', resolved: { outcome: 'rejected', by: 'key:key_1' } });
  });

  test('a question that nobody answered ends with the run', () => {
    const items = itemsOf(['approval.requested'], ['run.state', { from: 'waiting', to: 'canceled' }]);
    expect(items).toMatchObject([{ resolved: { outcome: 'canceled' } }, { kind: 'notice', tone: 'warn' }]);
  });

  test('refusals in a row are one item that counts', () => {
    const items = itemsOf(
      ['egress.denied', { host: 'a' }],
      ['egress.denied', { host: 'b' }],
      ['agent.message'],
      ['egress.denied'],
    );
    expect(items).toMatchObject([{ kind: 'denied', count: 2, last: { host: 'b' } }, {}, { kind: 'denied', count: 1 }]);
  });

  test.each([
    ['running', []],
    ['waiting', []],
    ['paused', ['warn']],
    ['succeeded', ['good']],
    ['failed', ['bad']],
    ['timed_out', ['bad']],
  ] as const)('becoming %s is worth %j', (to, tones) => {
    const items = itemsOf(['run.state', { from: 'running', to }]);
    expect(items.map((item) => item.kind === 'notice' && item.tone)).toEqual(tones);
  });
});
