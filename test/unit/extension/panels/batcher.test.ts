import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { Batcher } from '../../../../extension/panels/batcher.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const aBatcher = (send: (batch: number[]) => Promise<unknown>) =>
  new Batcher<number>({ send, maxItems: 3, maxWaitMs: 50 });

describe('a batcher', () => {
  test('waits for company, but not for long', async () => {
    const send = vi.fn<(batch: number[]) => Promise<unknown>>(() => Promise.resolve());
    const batcher = aBatcher(send);
    batcher.add(1);
    batcher.add(2);
    expect(send).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(50);
    expect(send.mock.calls).toEqual([[[1, 2]]]);
  });

  test('a full batch goes at once', () => {
    const send = vi.fn<(batch: number[]) => Promise<unknown>>(() => Promise.resolve());
    const batcher = aBatcher(send);
    for (const item of [1, 2, 3]) batcher.add(item);
    expect(send.mock.calls).toEqual([[[1, 2, 3]]]);
  });

  test('never has two batches under way', async () => {
    let underWay = 0;
    let most = 0;
    const batcher = aBatcher(async () => {
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setTimeout(resolve, 500));
      underWay--;
    });
    for (let item = 0; item < 20; item++) batcher.add(item);
    await vi.runAllTimersAsync();
    expect(most).toBe(1);
  });

  test('nothing is lost, repeated or reordered, whatever the pace', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(80)), async (pauses) => {
        const received: number[] = [];
        const batcher = aBatcher(async (batch) => {
          await new Promise((resolve) => setTimeout(resolve, 20));
          received.push(...batch);
        });
        for (const [item, pause] of pauses.entries()) {
          batcher.add(item);
          await vi.advanceTimersByTimeAsync(pause);
        }
        const flushed = batcher.flush();
        await vi.runAllTimersAsync();
        await flushed;
        expect(received).toEqual(pauses.map((_, item) => item));
      }),
    );
  });

  test('a closed one sends nothing more', async () => {
    const send = vi.fn<(batch: number[]) => Promise<unknown>>(() => Promise.resolve());
    const batcher = aBatcher(send);
    batcher.add(1);
    batcher.close();
    batcher.add(2);
    await vi.runAllTimersAsync();
    expect(send).not.toHaveBeenCalled();
  });
});
