import type { Idempotency } from './api/idempotency.ts';
import { messageOf } from './base/lifecycle.ts';
import type { Context } from './context.ts';
import { closeOpenRuns } from './runs/recovery.ts';

const EVERY_MS = 60_000;
const LOG_WAS_LOST = {
  code: 'log_unavailable',
  message: 'The event log could not be written when the run ended.',
} as const;

/** Looks once a minute for what should not be there any more: expired uploads, and sandboxes of runs that have ended. */
export function startJanitor(
  { uploads, sandboxes, runs, index, log, proofs, logger }: Context,
  idempotency: Idempotency,
): { stop(): Promise<void> } {
  let round = Promise.resolve();
  const tasks: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['expired uploads', () => uploads.sweep()],
    ['old answers', () => idempotency.sweep()],
    ['sandboxes without a run', () => sandboxes.reap()],
    [
      'runs without an end',
      () => closeOpenRuns({ index, log, signHead: (runId) => proofs.sign(runId) }, runs.activeRunIds, LOG_WAS_LOST),
    ],
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
