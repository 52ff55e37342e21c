import type { Idempotency } from './api/idempotency.ts';
import { messageOf } from './base/lifecycle.ts';
import type { Context } from './context.ts';

const EVERY_MS = 60_000;

/** Looks once a minute for what should not be there any more: expired uploads, and sandboxes of runs that have ended. */
export function startJanitor(
  { uploads, sandboxes, logger }: Pick<Context, 'uploads' | 'sandboxes' | 'logger'>,
  idempotency: Idempotency,
): { stop(): Promise<void> } {
  let round = Promise.resolve();
  const tasks: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['expired uploads', () => uploads.sweep()],
    ['old answers', () => idempotency.sweep()],
    ['sandboxes without a run', () => sandboxes.reap()],
  ];
  const tidy = async () => {
    for (const [what, task] of tasks) {
      try {
        await task();
      } catch (error) {
        logger.warn({ error: messageOf(error) }, `the janitor could not clear ${what}`);
      }
    }
  };
  const timer = setInterval(() => {
    round = round.then(tidy);
  }, EVERY_MS);
  timer.unref();
  return {
    stop: () => {
      clearInterval(timer);
      return round;
    },
  };
}
