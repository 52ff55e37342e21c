import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RUN_STATES } from '../../../../shared/run/state.ts';
import { attention, groupRuns } from '../../../../extension/runs/grouping.ts';
import { aRun, runIdOf } from '../../../support/runs.ts';

/** Noon, local time, so that the day does not depend on where the test runs. */
const now = new Date(2026, 2, 10, 12);
const at = (hours: number) => new Date(now.getTime() + hours * 3_600_000).toISOString();
const names = (groups: ReturnType<typeof groupRuns>) =>
  groups.map(({ name, runs }) => [name, ...runs.map((run) => run.title)]);

describe('the tree', () => {
  test('what goes on, what ended today, the rest; newest first; without empty groups', () => {
    const runs = [
      aRun({ title: 'old', state: 'failed', createdAt: at(-40), endedAt: at(-39) }),
      aRun({ title: 'this morning', state: 'succeeded', createdAt: at(-3), endedAt: at(-2) }),
      aRun({ title: 'running since yesterday', createdAt: at(-20) }),
      aRun({ title: 'just begun', state: 'queued', createdAt: at(0) }),
    ];
    expect(names(groupRuns(runs, now))).toEqual([
      ['active', 'just begun', 'running since yesterday'],
      ['today', 'this morning'],
      ['earlier', 'old'],
    ]);
    expect(groupRuns([], now)).toEqual([]);
  });

  test('a run that began before midnight and ended after it is of today', () => {
    const run = aRun({ title: 'overnight', state: 'succeeded', createdAt: at(-13), endedAt: at(-11) });
    expect(names(groupRuns([run], now))).toEqual([['today', 'overnight']]);
  });

  test('runs that wait for the user come before the others', () => {
    const runs = [
      aRun({ title: 'newer', createdAt: at(-1) }),
      aRun({ title: 'asks', state: 'waiting', waitingFor: 'approval', createdAt: at(-2) }),
    ];
    expect(names(groupRuns(runs, now))).toEqual([['active', 'asks', 'newer']]);
  });

  test('a server whose clock is ahead does not move runs into another day', () => {
    const run = aRun({ title: 'yesterday', state: 'succeeded', endedAt: at(-11.5) });
    expect(names(groupRuns([run], now))).toEqual([['today', 'yesterday']]);
    expect(names(groupRuns([run], now, 3_600_000))).toEqual([['earlier', 'yesterday']]);
  });

  test('every run is in exactly one group', () => {
    const anyRun = fc.record({
      n: fc.nat(1000),
      state: fc.constantFrom(...RUN_STATES),
      hours: fc.integer({ min: -99, max: 1 }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(anyRun, { selector: ({ n }) => n }), (list) => {
        const runs = list.map(({ n, state, hours }) => aRun({ id: runIdOf(n), state, createdAt: at(hours) }));
        const shown = groupRuns(runs, now).flatMap((group) => group.runs.map((run) => run.id));
        expect(shown.toSorted()).toEqual(runs.map((run) => run.id).toSorted());
      }),
    );
  });
});

test('attention counts what goes on and what waits', () => {
  const runs = [aRun(), aRun({ state: 'waiting' }), aRun({ state: 'paused' }), aRun({ state: 'succeeded' })];
  expect(attention(runs)).toEqual({ active: 3, waiting: 1 });
});
