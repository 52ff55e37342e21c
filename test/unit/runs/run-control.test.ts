import { beforeEach, describe, expect, test } from 'vitest';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import { RunControl } from '../../../server/runs/run-control.ts';
import { RunEnd } from '../../../server/runs/run-end.ts';
import { RunLog } from '../../../server/runs/run-log.ts';
import type { EventLog } from '../../../server/events/ports.ts';
import { createRedactor } from '../../../server/vault/redactor.ts';

const OPTIONS = [
  { id: 'yes', name: 'Allow', kind: 'allow_once' },
  { id: 'no', name: 'Reject', kind: 'reject_once' },
] as const;
const REQUEST = { toolCallId: 'call-1', title: 'Run rm', kind: 'execute', options: OPTIONS };

let events: NewEvent[];
let log: RunLog;
let control: RunControl;

beforeEach(async () => {
  events = [];
  const memory = {
    append: async (_run: string, added: readonly NewEvent[]) => (events.push(...added), []),
  } as unknown as EventLog;
  log = new RunLog({ runId: 'run_1', log: memory, redactor: createRedactor([]), onFailClosed: () => undefined });
  control = new RunControl(log);
  await log.transition('preparing');
  await control.beginWork();
});

const states = () => events.flatMap((event) => (event.type === 'run.state' ? [event.data.to] : []));
const approvalId = () =>
  events.flatMap((event) => (event.type === 'approval.requested' ? [event.data.approvalId] : []))[0] ?? '';
/** Lets everything that is ready run. */
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe('an approval', () => {
  test('makes the run wait until somebody answers', async () => {
    const answer = control.requestApproval(REQUEST, 'ask');
    await settle();
    expect(log.state).toBe('waiting');
    control.approve(approvalId(), { decision: 'reject' }, 'key:key_a');
    expect(await answer).toBe('no');
    expect(log.state).toBe('running');
    expect(events.at(-2)).toMatchObject({
      type: 'approval.resolved',
      actor: 'key:key_a',
      data: { outcome: 'rejected', optionId: 'no' },
    });
  });

  test('is answered by the environment in auto mode, and recorded all the same', async () => {
    expect(await control.requestApproval(REQUEST, 'auto')).toBe('yes');
    expect(log.state).toBe('running');
    expect(events.at(-1)).toMatchObject({ type: 'approval.resolved', data: { outcome: 'allowed', by: 'auto' } });
  });

  test('is asked even in auto mode where nothing but refusing is offered', async () => {
    void control.requestApproval({ ...REQUEST, options: [OPTIONS[1]] }, 'auto');
    await settle();
    expect(log.state).toBe('waiting');
  });

  test('can be answered once, and only with what it offers', async () => {
    const answer = control.requestApproval(REQUEST, 'ask');
    await settle();
    expect(() => control.approve(approvalId(), { optionId: 'maybe' }, 'key:key_a')).toThrow(
      'yes (allow_once), no (reject_once)',
    );
    control.approve(approvalId(), { optionId: 'yes' }, 'key:key_a');
    expect(() => control.approve(approvalId(), { optionId: 'no' }, 'key:key_a')).toThrow('answered already');
    expect(await answer).toBe('yes');
  });

  test('is canceled with the run', async () => {
    const answer = control.requestApproval(REQUEST, 'ask');
    await settle();
    control.end(new RunEnd('canceled', 'canceled', 'Canceled.'));
    expect(await answer).toBeNull();
  });

  test('of two, the run goes on when both are answered', async () => {
    const answers = [control.requestApproval(REQUEST, 'ask'), control.requestApproval(REQUEST, 'ask')];
    await settle();
    const ids = events.flatMap((event) => (event.type === 'approval.requested' ? [event.data.approvalId] : []));
    control.approve(ids[0] ?? '', { decision: 'allow' }, 'key:key_a');
    await settle();
    expect(log.state).toBe('waiting');
    control.approve(ids[1] ?? '', { decision: 'allow' }, 'key:key_a');
    await Promise.all(answers);
    expect(log.state).toBe('running');
  });
});

describe('messages', () => {
  test('a conversation waits for input and goes on with it', async () => {
    const next = control.waitForMessage(60_000);
    await settle();
    expect(log.state).toBe('waiting');
    await control.send('and now the tests', 'key:key_a');
    expect(await next).toBe('and now the tests');
    expect(log.state).toBe('running');
  });

  test('one that came during the turn needs no waiting', async () => {
    await control.send('more', 'key:key_a');
    expect(await control.waitForMessage(60_000)).toBe('more');
    expect(states()).not.toContain('waiting');
  });

  test('finish ends the conversation', async () => {
    const next = control.waitForMessage(60_000);
    await settle();
    control.finish();
    expect(await next).toBeUndefined();
  });

  test('nobody writing for the idle limit ends it too', async () => {
    expect(await control.waitForMessage(5)).toBeUndefined();
  });

  test('ending the run ends the wait with the reason', async () => {
    const next = control.waitForMessage(60_000);
    await settle();
    control.end(new RunEnd('canceled', 'canceled', 'Canceled.'));
    await expect(next).rejects.toThrow('Canceled.');
    await expect(control.send('too late', 'key:key_a')).rejects.toThrow('ending or has ended');
  });
});

describe('the state', () => {
  test('of a paused run stays paused whatever else happens, and is right afterwards', async () => {
    await control.setPaused(true);
    const answer = control.requestApproval(REQUEST, 'ask');
    await settle();
    expect(log.state).toBe('paused');
    await control.setPaused(false);
    expect(log.state).toBe('waiting');
    control.approve(approvalId(), { decision: 'allow' }, 'key:key_a');
    await answer;
    expect(states()).toEqual(['preparing', 'running', 'paused', 'waiting', 'running']);
  });

  test('the first reason to end is the one that counts', () => {
    control.end(new RunEnd('canceled', 'canceled', 'first'));
    control.end(new RunEnd('timed_out', 'time_limit', 'second'));
    expect(control.ended?.message).toBe('first');
  });
});
