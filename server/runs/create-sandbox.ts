import { messageOf } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { egressFolder } from './open-egress.ts';
import { RunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';
import { watchKernel, watchSandbox } from './watch.ts';

const MIB = 1024 * 1024;

/** The run's own sandbox, watched from before its first process on. @throws {RunEnd} `sandbox_failed` with what the engine says */
export async function createSandbox(run: RunScope): Promise<Sandbox> {
  const { deps, plan, control, log, resources } = run;
  const { image, resources: size } = plan.environment;
  const { cpus, memoryMiB, diskMiB, maxProcesses } = size;
  const notCreated = (error: unknown): never => {
    throw (
      control.ended ?? RunEnd.failed('sandbox_failed', `The sandbox could not be created: ${messageOf(error)}`, error)
    );
  };
  // The engine is asked anew for each run: it may have been stopped, or its runtimes changed, since the server's start.
  const { runtime } = await deps.sandboxes.describe().catch(notCreated);
  await log.emit({
    type: 'sandbox.creating',
    actor: 'server',
    data: { image, runtime, cpus, memoryMiB, diskMiB, maxProcesses },
  });
  const sandbox = await deps.sandboxes
    .create(
      {
        runId: plan.runId,
        image,
        cpus,
        memoryBytes: memoryMiB * MIB,
        diskBytes: diskMiB * MIB,
        maxProcesses,
        egressFolder: egressFolder(deps.dataDir, plan.runId),
        readOnlyMounts: deps.agentLaunch(plan.agent).mounts,
        onIdentified: (sandboxId) => resources.cleanup.add('kernel witness', watchKernel(run, sandboxId)),
      },
      control.signal,
    )
    .catch(notCreated);
  resources.sandbox = sandbox;
  watchSandbox(sandbox, control);
  const { id: sandboxId, kernel, coldStartMs } = sandbox;
  await log.emit({ type: 'sandbox.ready', actor: 'server', data: { sandboxId, runtime, kernel, coldStartMs } });
  return sandbox;
}
