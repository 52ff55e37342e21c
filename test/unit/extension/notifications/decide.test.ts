import { expect, test } from 'vitest';
import type { Run } from '../../../../shared/protocol/rest.ts';
import { decideNotification, type NotificationLevel } from '../../../../extension/notifications/decide.ts';
import { aRun } from '../../../support/runs.ts';

const became = (fields: Partial<Run>) => ({ before: aRun(), after: aRun(fields) });

test.each<[Partial<Run>, NotificationLevel, string | undefined]>([
  [{ state: 'waiting', waitingFor: 'approval' }, 'all', 'approval'],
  [{ state: 'waiting', waitingFor: 'input' }, 'waiting', 'input'],
  [{ state: 'waiting', waitingFor: 'approval' }, 'none', undefined],
  [{ state: 'succeeded' }, 'all', 'succeeded'],
  [{ state: 'succeeded' }, 'waiting', undefined],
  [{ state: 'succeeded' }, 'none', undefined],
  [{ state: 'failed' }, 'all', 'failed'],
  [{ state: 'timed_out' }, 'all', 'failed'],
  [{ state: 'over_budget' }, 'all', 'failed'],
  [{ state: 'canceled' }, 'all', undefined],
  [{ state: 'running' }, 'all', undefined],
  [{ state: 'paused' }, 'all', undefined],
  [{ state: 'succeeded', createdBy: { memberId: 'mem_other', keyId: 'k' } }, 'all', undefined],
])('%j with «%s» interrupts as %s', (fields, level, expected) => {
  expect(decideNotification(became(fields), level, 'mem_me', false)?.kind).toBe(expected);
});

test('nobody is told what they are looking at', () => {
  expect(decideNotification(became({ state: 'succeeded' }), 'all', 'mem_me', true)).toBeUndefined();
});
