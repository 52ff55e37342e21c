import type { NewEvent } from '../../shared/protocol/events.ts';
import { reduceRun } from '../../shared/run/reduce.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Logger } from '../base/logger.ts';
import type { EventLog } from '../events/ports.ts';
import type { SandboxRuntime } from '../sandbox/sandbox.ts';
import type { RunIndex } from './run-index.ts';

/**
 * What a server process does first: whatever the last one left behind is destroyed, and every run that it left open
 * is closed in its log, with the reason. No run is continued: its agent's memory is gone.
 */
export async function recover(options: {
  index: RunIndex;
  log: EventLog;
  sandboxes: SandboxRuntime;
  signHead: (runId: string) => Promise<unknown>;
  logger: Logger;
}): Promise<{ reaped: number; closed: number }> {
  const reaped = await options.sandboxes.reap();
  const open = await options.index.unfinished();
  let closed = 0;
  for (const { runId, view } of open) {
    if (!isFinal(view.state)) {
      const message = 'The server stopped while the run was going on.';
      const events: NewEvent[] = [
        {
          type: 'run.state',
          actor: 'server',
          data: { from: view.state, to: 'failed', failure: { code: 'server_restarted', message } },
        },
      ];
      const appended = await options.log.append(runId, events);
      await options.index.save(runId, appended.reduce(reduceRun, view));
      closed++;
    } else {
      await options.index.save(runId, view);
    }
    await options.signHead(runId);
  }
  if (reaped.length > 0 || closed > 0)
    options.logger.warn({ sandboxes: reaped.length, runs: closed }, 'cleaned up after an earlier server process');
  return { reaped: reaped.length, closed };
}
