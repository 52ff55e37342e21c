import type { RunFailureCode } from '../../shared/protocol/events.ts';
import { reduceRun } from '../../shared/run/reduce.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Logger } from '../base/logger.ts';
import type { EventLog } from '../events/ports.ts';
import type { SandboxRuntime } from '../sandbox/sandbox.ts';
import type { RunIndex } from './run-index.ts';

export interface RecoveryOptions {
  readonly index: RunIndex;
  readonly log: EventLog;
  readonly signHead: (runId: string) => Promise<unknown>;
}

/**
 * What a server process does first: whatever the last one left behind is destroyed, and every run that it left open
 * is closed in its log, with the reason. No run is continued: its agent's memory is gone.
 */
export async function recover(options: RecoveryOptions & { sandboxes: SandboxRuntime; logger: Logger }): Promise<void> {
  const reaped = await options.sandboxes.reap();
  const why = { code: 'server_restarted', message: 'The server stopped while the run was going on.' } as const;
  const closed = await closeOpenRuns(options, new Set(), why);
  if (reaped.length > 0 || closed > 0)
    options.logger.warn({ sandboxes: reaped.length, runs: closed }, 'cleaned up after an earlier server process');
}

/**
 * Closes runs that nobody drives any more. A run can also be left open by a log that could not be written when it ended;
 * the janitor then closes it, when the log can be written again.
 * @param driven runs that somebody still drives
 * @returns how many were closed
 */
export async function closeOpenRuns(
  { index, log, signHead }: RecoveryOptions,
  driven: ReadonlySet<string>,
  failure: { readonly code: RunFailureCode; readonly message: string },
): Promise<number> {
  let closed = 0;
  for (const { runId, view } of await index.unfinished()) {
    if (driven.has(runId)) continue;
    if (isFinal(view.state)) {
      await index.save(runId, view);
    } else {
      const appended = await log.append(runId, [
        { type: 'run.state', actor: 'server', data: { from: view.state, to: 'failed', failure } },
      ]);
      await index.save(runId, appended.reduce(reduceRun, view));
      closed++;
    }
    await signHead(runId);
  }
  return closed;
}
