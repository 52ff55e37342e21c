import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { RUN_STATES, isFinal } from '../../../../shared/run/state.ts';
import { initialRunView, type RunView } from '../../../../shared/run/reduce.ts';
import { createChainCheck } from '../../../../webview/run/model/chain.ts';
import { canSend, elapsed, possibleActions } from '../../../../webview/run/model/controls.ts';
import { createRunStore } from '../../../../webview/run/store.ts';
import { restoreUiState } from '../../../../webview/run/ui-state.ts';
import { SAMPLE_RUN, logWriter, longRun, sampleRun, type WireEvent } from '../sample-run.ts';

const log = sampleRun({ ended: true });

function storeOf() {
  const resubscribe = vi.fn<(after: number) => void>();
  const problem = vi.fn<(what: string, error: unknown) => void>();
  return { store: createRunStore({ runId: SAMPLE_RUN, resubscribe, problem }), resubscribe, problem };
}

describe('what the page takes in', () => {
  test('is the same however the log is cut into batches, and however often a part is sent again', () => {
    const { store: whole } = storeOf();
    whole.receive(log);
    whole.advance(Infinity);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(log.length), fc.integer({ min: 1, max: 30 })), { maxLength: 12 }),
        (cuts) => {
          const { store, problem } = storeOf();
          for (const [from, length] of cuts)
            store.receive(log.slice(Math.min(from, store.view.lastSeq), from + length));
          store.receive(log);
          store.advance(Infinity);
          expect(store.view).toEqual(whole.view);
          expect(store.transcript.items).toEqual(whole.transcript.items);
          expect(store.events).toEqual(whole.events);
          expect(problem).not.toHaveBeenCalled();
        },
      ),
    );
  });

  test('after a gap is asked for once, and nothing is shown out of order', () => {
    const { store, resubscribe } = storeOf();
    store.receive([...log.slice(0, 3), ...log.slice(5)]);
    store.advance(Infinity);
    expect(store.view.lastSeq).toBe(3);
    expect(resubscribe).toHaveBeenCalledExactlyOnceWith(3);
    store.receive(log.slice(3));
    store.advance(Infinity);
    expect(store.view.lastSeq).toBe(log.length);
    expect(resubscribe).toHaveBeenCalledTimes(1);
  });

  test('of a long run is everything, in order', () => {
    const { store } = storeOf();
    store.receive(longRun(2999));
    store.advance(Infinity);
    expect(store.events.map((event) => event.seq)).toEqual(Array.from({ length: 2999 }, (_, i) => i + 1));
    expect(store.view).toMatchObject({ state: 'running', toolCalls: store.processes.rows.length });
    expect(store.egress.rows.filter((row) => row.closed).length).toBeGreaterThan(400);
  });

  test('is spread over frames', () => {
    const { store } = storeOf();
    let time = 0;
    store.receive(log);
    expect(store.advance(1, () => ++time)).toBe(true);
    expect(store.waiting).toBe(log.length - 32);
    store.advance(Infinity);
    expect([store.waiting, store.advance(Infinity)]).toEqual([0, false]);
  });

  test('an event that does not have the form of its type is shown as it is', () => {
    const { add, raw, events } = logWriter();
    raw('agent.message', 'agent', { text: 42 });
    add('agent.message', 'agent', { text: 'and on' });
    const { store, problem } = storeOf();
    store.receive(events);
    store.advance(Infinity);
    expect(store.transcript.items).toMatchObject([{ kind: 'unknown' }, { kind: 'message', text: 'and on' }]);
    expect(problem).toHaveBeenCalledTimes(1);
    const chain = createChainCheck(SAMPLE_RUN, store.events);
    chain.advance(Infinity);
    expect(chain.state).toEqual({ verified: 2 });
  });

  test.each([
    ['nothing', null],
    ['text', 'hello'],
    ['an event of another run', logWriter('run_01jx00000000000000000000bb').raw('agent.mood', 'agent', {})],
  ])('%s is reported and left out', (_what, input) => {
    const { store, problem } = storeOf();
    store.receive([input, log[0]]);
    store.advance(Infinity);
    expect(store.view.lastSeq).toBe(1);
    expect(problem).toHaveBeenCalledTimes(1);
  });
});

describe('the chain', () => {
  function chainOf(events: readonly WireEvent[]) {
    const { store } = storeOf();
    store.receive(events);
    store.advance(Infinity);
    return createChainCheck(SAMPLE_RUN, store.events);
  }

  test('is verified a little at a time, unknown types included', () => {
    const chain = chainOf(log);
    let time = 0;
    chain.advance(5, () => ++time);
    expect(chain.state).toEqual({ verified: 5 });
    chain.advance(Infinity);
    expect([chain.state, chain.done]).toEqual([{ verified: log.length }, true]);
  });

  test('is broken where data was changed, and stays so', () => {
    const changed = log.with(6, { ...log[6]!, data: { ...(log[6]!.data as object), host: 'harmless.example' } });
    const chain = chainOf(changed);
    chain.advance(Infinity);
    expect(chain.state).toMatchObject({ verified: 6, broken: { seq: 7 } });
    expect(chain.done).toBe(true);
  });

  test('covers fields that this version does not know', () => {
    const { raw, events } = logWriter();
    raw('agent.message', 'agent', { text: 'a', language: 'en' });
    const chain = chainOf(events);
    chain.advance(Infinity);
    expect(chain.state).toEqual({ verified: 1 });
  });
});

describe('what one can do with a run', () => {
  const view = (changes: Partial<RunView>): RunView => ({ ...initialRunView(SAMPLE_RUN), lastSeq: 1, ...changes });

  test.each([
    ['queued', false, ['cancel']],
    ['preparing', true, ['cancel']],
    ['running', false, ['terminal', 'pause', 'cancel']],
    ['running', true, ['terminal', 'pause', 'finish', 'cancel']],
    ['waiting', true, ['terminal', 'pause', 'finish', 'cancel']],
    ['paused', true, ['resume', 'cancel']],
    ['succeeded', true, []],
  ] as const)('%s, interactive %s: %j', (state, interactive, actions) => {
    expect(possibleActions(view({ state, interactive }), false)).toEqual(actions);
    expect(possibleActions(view({ state, interactive }), true)).toEqual([]);
  });

  test('a message can be sent until the end, but not by a reader', () => {
    for (const state of RUN_STATES) {
      expect(canSend(view({ state }), false)).toBe(!isFinal(state));
      expect(canSend(view({ state }), true)).toBe(false);
    }
    expect(canSend(initialRunView(SAMPLE_RUN), false)).toBe(false);
  });

  test.each([
    ['not begun', {}, undefined],
    ['queued', { createdAt: '2026-01-01T00:00:00.000Z' }, 65_000],
    ['running', { createdAt: '2026-01-01T00:00:00.000Z', startedAt: '2026-01-01T00:00:05.000Z' }, 60_000],
    ['ended', { startedAt: '2026-01-01T00:00:05.000Z', endedAt: '2026-01-01T00:00:06.000Z' }, 1000],
    ['begun in the future', { startedAt: '2027-01-01T00:00:00.000Z' }, 0],
  ])('elapsed time, by the server’s clock: %s', (_when, times, ms) => {
    expect(elapsed(view(times), Date.UTC(2026, 0, 1, 0, 1, 0), 5000)).toBe(ms);
  });
});

describe('what the page remembers', () => {
  const fresh = restoreUiState(undefined, 'run_1', 'https://a');

  test('is kept for the same run on the same server only', () => {
    const kept = { ...fresh, tab: 'audit', draft: 'half a sentence', expanded: [['e4', true]] };
    expect(restoreUiState(structuredClone(kept), 'run_1', 'https://a')).toEqual(kept);
    expect(restoreUiState(kept, 'run_2', 'https://a')).toMatchObject({ runId: 'run_2', draft: '' });
    expect(restoreUiState(kept, 'run_1', 'https://b')).toMatchObject({ tab: 'transcript' });
  });

  test.each([
    ['tab', 'gone'],
    ['draft', 5],
    ['expanded', [['e1']]],
    ['positions', { audit: 'top' }],
    ['egress', null],
  ])('where %s is damaged, the rest is kept', (field, value) => {
    const kept = { ...fresh, draft: 'kept', tab: 'egress', [field]: value };
    const restored = restoreUiState(kept, 'run_1', 'https://a');
    expect(restored).toEqual({ ...fresh, draft: 'kept', tab: 'egress', [field]: fresh[field as keyof typeof fresh] });
  });
});
