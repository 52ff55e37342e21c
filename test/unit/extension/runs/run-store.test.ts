import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Subscriber } from '../../../../shared/client/feed.ts';
import { CaissonError } from '../../../../shared/protocol/errors.ts';
import type { Run } from '../../../../shared/protocol/rest.ts';
import { RunStore, type RunSource, type Transition } from '../../../../extension/runs/run-store.ts';
import { RUN_ID, runEvent } from '../../../support/run-events.ts';
import { aRun, runIdOf } from '../../../support/runs.ts';

/** A server as the store sees it: what it lists, and who follows which run from where. */
function aSource(runs: Run[]) {
  const followed = new Map<string, { after: number; subscriber: Subscriber; closed: boolean }>();
  const source: RunSource & { runs: Run[]; followed: typeof followed; failure?: Error } = {
    runs,
    followed,
    list: () => (source.failure ? Promise.reject(source.failure) : Promise.resolve(source.runs)),
    get: (id) => {
      const run = source.runs.find((candidate) => candidate.id === id);
      return run ? Promise.resolve(run) : Promise.reject(new CaissonError('not_found', 'gone'));
    },
    subscribe: (id, after, subscriber) => {
      const entry = { after, subscriber, closed: false };
      followed.set(id, entry);
      return { close: () => void (entry.closed = true) };
    },
  };
  return source;
}

let store: RunStore;
let transitions: Transition[];
beforeEach(() => {
  vi.useFakeTimers();
  store = new RunStore();
  transitions = [];
  store.onDidTransition((transition) => transitions.push(transition));
});
afterEach(() => {
  store.dispose();
  vi.useRealTimers();
});

const running = () => aRun({ id: RUN_ID, lastSeq: 3 });
async function connected(...runs: Run[]) {
  const source = aSource(runs);
  store.connect(source);
  await store.refresh();
  return source;
}

describe('the store', () => {
  test('follows what goes on from where the list was, and nothing that has ended', async () => {
    const source = await connected(running(), aRun({ id: runIdOf(2), state: 'succeeded' }));
    expect([...source.followed].map(([id, { after }]) => [id, after])).toEqual([[RUN_ID, 3]]);
    expect(store.status.kind).toBe('ready');
  });

  test('is kept true by events, and says when a run changes its state', async () => {
    const source = await connected(running());
    const { subscriber } = source.followed.get(RUN_ID)!;
    subscriber.event(runEvent(4, 'egress.denied'));
    subscriber.event(runEvent(5, 'run.state', { from: 'running', to: 'waiting', waitingFor: 'input' }));
    expect(store.get(RUN_ID)).toMatchObject({ state: 'waiting', lastSeq: 5, egress: { denied: 1 } });
    expect(transitions.map(({ before, after }) => [before.state, after.state])).toEqual([['running', 'waiting']]);
  });

  test('what it learns first is no transition', async () => {
    await connected(aRun({ state: 'waiting' }));
    expect(transitions).toEqual([]);
  });

  test('a list that is older than the events does not turn time back', async () => {
    const source = await connected(running());
    source.followed.get(RUN_ID)!.subscriber.event(runEvent(9, 'run.state', { from: 'running', to: 'paused' }));
    await store.refresh();
    expect(store.get(RUN_ID)).toMatchObject({ state: 'paused', lastSeq: 9 });
  });

  test('a run that has ended is read once more and then left alone', async () => {
    const source = await connected(running());
    const patch = { files: 1, insertions: 1, deletions: 0, bytes: 9, sha256: '0'.repeat(64), paths: ['a'] };
    source.runs = [aRun({ id: RUN_ID, state: 'succeeded', lastSeq: 12, patch })];
    const entry = source.followed.get(RUN_ID)!;
    entry.subscriber.event(runEvent(10, 'run.state', { from: 'running', to: 'succeeded' }));
    await vi.runAllTimersAsync();
    expect(entry.closed).toBe(true);
    expect(store.get(RUN_ID)).toMatchObject({ state: 'succeeded', patch });
    expect(transitions).toHaveLength(1);
  });

  test('a run that was deleted elsewhere disappears, by the stream or by the list', async () => {
    const source = await connected(running(), aRun({ id: runIdOf(2), state: 'failed' }));
    source.followed.get(RUN_ID)!.subscriber.ended(new CaissonError('not_found', 'There is no such run'));
    expect(store.runs.map(({ id }) => id)).toEqual([runIdOf(2)]);
    source.runs = [];
    await store.refresh();
    expect(store.runs).toEqual([]);
  });

  test('losing the server keeps the list, marked; the next answer mends it', async () => {
    const source = await connected(running());
    source.failure = new CaissonError('unavailable', 'Nothing listens there');
    await store.refresh();
    expect(store.status).toEqual({ kind: 'stale', error: source.failure });
    expect(store.runs).toHaveLength(1);
    delete source.failure;
    await store.refresh();
    expect(store.status.kind).toBe('ready');
  });

  test('a stream that was given up is opened again with the next list', async () => {
    const source = await connected(running());
    source.followed.get(RUN_ID)!.subscriber.ended(new CaissonError('unavailable', 'gave up'));
    source.followed.clear();
    await store.refresh();
    expect(source.followed.get(RUN_ID)?.after).toBe(3);
  });

  test('a refused key keeps the list and stops every stream; signing out keeps nothing', async () => {
    const source = await connected(running());
    store.disconnect(true);
    expect(store.runs).toHaveLength(1);
    expect(store.status.kind).toBe('stale');
    expect(source.followed.get(RUN_ID)?.closed).toBe(true);
    store.disconnect(false);
    expect(store.runs).toEqual([]);
  });

  test('an answer of the server before does not mix with that of the next one', async () => {
    const slow = aSource([aRun({ id: runIdOf(7) })]);
    store.connect(slow);
    const late = store.refresh();
    store.connect(aSource([]));
    await Promise.all([late, store.refresh()]);
    expect(store.runs).toEqual([]);
  });

  test('a busy run is announced now and then, not with every event', async () => {
    const source = await connected(running());
    await vi.runAllTimersAsync();
    const heard = vi.fn<() => void>();
    store.onDidChange(heard);
    for (let seq = 4; seq < 504; seq++) source.followed.get(RUN_ID)!.subscriber.event(runEvent(seq, 'process.exec'));
    await vi.runAllTimersAsync();
    expect(heard).toHaveBeenCalledTimes(1);
    expect(store.get(RUN_ID)?.processes).toBe(500);
  });
});
