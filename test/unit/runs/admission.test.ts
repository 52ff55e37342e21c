import { describe, expect, test } from 'vitest';
import { Admission } from '../../../server/runs/admission.ts';

const never = new AbortController().signal;

describe('admission', () => {
  test('gives slots in the order of asking, and hands them over', async () => {
    const admission = new Admission({ maxConcurrent: 1, maxQueued: 10 });
    const order: string[] = [];
    const first = await admission.enter(never);
    const second = admission.enter(never).then((leave) => (order.push('second'), leave));
    const third = admission.enter(never).then((leave) => (order.push('third'), leave));
    first();
    (await second)();
    (await third)();
    expect(order).toEqual(['second', 'third']);
  });

  test('a slot that is left twice is free once', async () => {
    const admission = new Admission({ maxConcurrent: 1, maxQueued: 0 });
    const leave = await admission.enter(never);
    leave();
    leave();
    await admission.enter(never);
    expect(() => admission.check()).toThrow('1 runs are active');
  });

  test('a run that is canceled while it waits leaves the queue', async () => {
    const admission = new Admission({ maxConcurrent: 1, maxQueued: 10 });
    const leave = await admission.enter(never);
    const canceled = new AbortController();
    const waiting = admission.enter(canceled.signal);
    const next = admission.enter(never);
    canceled.abort(new Error('canceled'));
    await expect(waiting).rejects.toThrow('canceled');
    leave();
    expect(typeof (await next)).toBe('function');
  });

  test('a full queue refuses before a run exists', async () => {
    const admission = new Admission({ maxConcurrent: 1, maxQueued: 1 });
    await admission.enter(never);
    admission.check();
    const waiting = new AbortController();
    const queued = admission.enter(waiting.signal);
    expect(() => admission.check()).toThrow('limit of this server');
    waiting.abort(new Error('test over'));
    await expect(queued).rejects.toThrow('test over');
  });
});
