import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { eventTypes, parseEvent, type RunEvent, type UnknownEvent } from '../../../shared/protocol/events.ts';
import { RUN_STATES } from '../../../shared/run/state.ts';
import { initialRunView, reduceRun, type RunView } from '../../../shared/run/reduce.ts';
import { RUN_ID, everyEvent, runEvent, sampleData } from '../../support/run-events.ts';

type Known = RunEvent | UnknownEvent;
const replay = (events: readonly Known[], from: RunView = initialRunView(RUN_ID)) => events.reduce(reduceRun, from);

const unknown = (seq: number): UnknownEvent => ({
  ...runEvent(seq, 'error'),
  type: 'unknown:agent.dream',
  data: { depth: 3 },
});

const anyState = fc.record({ from: fc.constantFrom(...RUN_STATES), to: fc.constantFrom(...RUN_STATES) });
const anyBody: fc.Arbitrary<(seq: number) => Known> = fc.oneof(
  fc.constantFrom(...eventTypes).map((type) => (seq: number) => runEvent(seq, type) as RunEvent),
  anyState.map((data) => (seq: number) => runEvent(seq, 'run.state', data)),
  fc
    .constantFrom('a', 'b', 'c')
    .map(
      (approvalId) => (seq: number) =>
        runEvent(seq, 'approval.requested', { ...sampleData['approval.requested'], approvalId }),
    ),
  fc.constant(unknown),
);
/** A log: gapless from 1, any types in any order. */
const anyLog = fc.array(anyBody, { maxLength: 60 }).map((bodies) => bodies.map((body, i) => body(i + 1)));

describe('a run view is what its log adds up to', () => {
  test('the samples cover the protocol and are well-formed', () => {
    for (const event of everyEvent()) expect(parseEvent(event)).toEqual(event);
    expect(everyEvent()).toHaveLength(eventTypes.length);
  });

  test('a run from its creation to its result', () => {
    const view = replay([
      runEvent(1, 'run.created'),
      runEvent(2, 'run.state', { from: 'queued', to: 'preparing' }),
      runEvent(3, 'sandbox.ready'),
      runEvent(4, 'git.ready'),
      runEvent(5, 'run.state', { from: 'preparing', to: 'running' }),
      runEvent(6, 'process.exec'),
      runEvent(7, 'egress.allowed'),
      runEvent(8, 'egress.closed'),
      runEvent(9, 'egress.denied'),
      runEvent(10, 'run.result'),
      runEvent(11, 'run.state', { from: 'running', to: 'succeeded' }),
      runEvent(12, 'sandbox.destroyed'),
    ]);
    expect(view).toMatchObject({
      state: 'succeeded',
      lastSeq: 12,
      prompt: 'Make the tests pass',
      createdAt: '2025-01-01T00:00:00.250Z',
      startedAt: '2025-01-01T00:00:01.250Z',
      endedAt: '2025-01-01T00:00:02.750Z',
      sandbox: { kernel: 'gVisor (Linux version 4.4.0)' },
      egress: { allowed: 1, denied: 1, sentBytes: 10, receivedBytes: 2000 },
      processes: 1,
      commits: 1,
      branch: 'caisson/run',
      patch: { files: 1 },
    });
    expect(view).not.toHaveProperty('failure');
  });

  test('what a state waits for does not outlive it', () => {
    const waiting = replay([runEvent(1, 'run.state', { from: 'running', to: 'waiting', waitingFor: 'approval' })]);
    expect(waiting.waitingFor).toBe('approval');
    expect(reduceRun(waiting, runEvent(2, 'run.state', { from: 'waiting', to: 'running' }))).not.toHaveProperty(
      'waitingFor',
    );
  });

  test('the start is the first time that the run was running, pauses or not', () => {
    const view = replay([
      runEvent(1, 'run.state', { from: 'preparing', to: 'running' }),
      runEvent(2, 'run.state', { from: 'running', to: 'paused' }),
      runEvent(3, 'run.state', { from: 'paused', to: 'running' }),
    ]);
    expect(view.startedAt).toBe(runEvent(1, 'error').at);
  });

  test('an approval is pending until it is resolved or the run ends', () => {
    const asked = replay([runEvent(1, 'approval.requested')]);
    expect(asked.pendingApprovals.map((pending) => pending.options.length)).toEqual([2]);
    expect(reduceRun(asked, runEvent(2, 'approval.resolved')).pendingApprovals).toEqual([]);
    const failure = { code: 'time_limit', message: 'It took too long' } as const;
    const ended = reduceRun(asked, runEvent(2, 'run.state', { from: 'waiting', to: 'timed_out', failure }));
    expect(ended.pendingApprovals).toEqual([]);
    expect(ended.failure).toEqual(failure);
  });
});

describe('properties', () => {
  test('every type is reduced, and counts as seen', () => {
    const events = everyEvent();
    expect(replay(events).lastSeq).toBe(events.length);
  });

  test('replaying the whole log onto its own view changes nothing', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const view = replay(log);
        expect(replay(log, view)).toBe(view);
      }),
    );
  });

  test('events that arrive twice or late are counted once', () => {
    fc.assert(
      fc.property(anyLog, fc.array(fc.nat()), (log, again) => {
        const noisy = log.flatMap((event, i) => [event, ...(again[i] === undefined ? [] : [log[again[i] % (i + 1)]!])]);
        expect(replay(noisy)).toEqual(replay(log));
      }),
    );
  });

  test('a log cut into two batches gives the same view as one', () => {
    fc.assert(
      fc.property(anyLog, fc.nat(), (log, cut) => {
        const at = log.length === 0 ? 0 : cut % log.length;
        // Through JSON, because that is how the server keeps a view between batches.
        const stored = JSON.parse(JSON.stringify(replay(log.slice(0, at)))) as RunView;
        expect(replay(log.slice(at), stored)).toStrictEqual(replay(log));
      }),
    );
  });

  test('an unknown event moves lastSeq and nothing else, and no view is changed in place', () => {
    fc.assert(
      fc.property(anyLog, (log) => {
        const view = Object.freeze(replay(log));
        expect(reduceRun(view, unknown(log.length + 1))).toStrictEqual({ ...view, lastSeq: log.length + 1 });
      }),
    );
  });
});
