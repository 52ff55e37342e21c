import { expect, test } from 'vitest';
import type { UnknownEvent } from '../../../../shared/protocol/events.ts';
import { initialRunView, reduceRun } from '../../../../shared/run/reduce.ts';
import { applyEvent } from '../../../../extension/runs/apply-event.ts';
import { everyEvent, RUN_ID, runEvent } from '../../../support/run-events.ts';
import { aRun } from '../../../support/runs.ts';

const before = aRun({ id: RUN_ID, state: 'queued', lastSeq: 0 });

test('after every event the list says what the log adds up to', () => {
  let run = before;
  let view = { ...initialRunView(RUN_ID), state: run.state };
  for (const event of everyEvent()) {
    run = applyEvent(run, event);
    view = reduceRun(view, event);
    const { allowed, denied } = view.egress;
    expect(run).toMatchObject({
      state: view.state,
      lastSeq: view.lastSeq,
      egress: { allowed, denied },
      processes: view.processes,
    });
    expect(run.pendingApprovals).toEqual(view.pendingApprovals.map(({ approvalId }) => approvalId));
    expect([run.startedAt, run.endedAt, run.waitingFor]).toEqual([view.startedAt, view.endedAt, view.waitingFor]);
    expect([run.usage, run.patch, run.branch, run.base]).toEqual([view.usage, view.patch, view.branch, view.base]);
  }
  expect(run.lastSeq).toBe(everyEvent().length);
});

test('an event that is already contained changes nothing', () => {
  const run = applyEvent(before, runEvent(1, 'egress.denied'));
  expect(applyEvent(run, runEvent(1, 'egress.denied'))).toBe(run);
});

test('what a run waits for is forgotten when it goes on, its approvals when it ends', () => {
  const asked = applyEvent(before, runEvent(1, 'approval.requested'));
  const waiting = applyEvent(
    asked,
    runEvent(2, 'run.state', { from: 'running', to: 'waiting', waitingFor: 'approval' }),
  );
  expect(waiting).toMatchObject({ state: 'waiting', waitingFor: 'approval', pendingApprovals: ['apr_1'] });
  const ended = applyEvent(waiting, runEvent(3, 'run.state', { from: 'waiting', to: 'canceled' }));
  expect(ended.waitingFor).toBeUndefined();
  expect(ended).toMatchObject({ state: 'canceled', pendingApprovals: [], endedAt: runEvent(3, 'error').at });
});

test('an event of a newer server only counts as seen', () => {
  const event = { ...runEvent(1, 'error'), type: 'unknown:run.moon', data: { to: 'moon' } } as unknown as UnknownEvent;
  expect(applyEvent(before, event)).toEqual({ ...before, lastSeq: 1 });
});
