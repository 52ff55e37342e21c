import { setTimeout as sleep } from 'node:timers/promises';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { RunControl } from './run-control.ts';
import { RunEnd, toRunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';

const EXIT_GRACE_MS = 2000;

/**
 * The witness's account goes into the log as it comes; a run without its witness does not go on.
 * @returns what ends the watch, when the sandbox is gone
 */
export function watchKernel(run: RunScope, sandboxId: string): () => Promise<void> {
  const { deps, control, log } = run;
  return deps.witness.watch(sandboxId, {
    // A batch waits for the one before, so a flood of processes goes at the pace of the log.
    onEvents: async (events) => {
      try {
        await log.emit(...events);
      } catch (error) {
        control.end(toRunEnd(error));
      }
    },
    onLost: (reason) => {
      witnessLost(reason, run).catch((error: unknown) => control.end(toRunEnd(error)));
    },
  });
}

/**
 * Nothing leaves a sandbox that nobody watches. A dying sandbox also ends its trace connection, a little before the
 * engine reports its exit: that exit is then the better reason, so it is given a moment to arrive.
 */
async function witnessLost(reason: string, { control, resources }: RunScope): Promise<void> {
  await resources.gateway?.close();
  const exited = resources.sandbox?.exited ?? new Promise<never>(() => undefined);
  await Promise.race([exited, sleep(EXIT_GRACE_MS, undefined, { ref: false })]);
  control.end(RunEnd.failed('witness_lost', `The kernel's witness was lost: ${reason}`));
}

/** A sandbox that dies ends its run, whatever the run is waiting for. */
export function watchSandbox(sandbox: Sandbox, control: RunControl): void {
  void sandbox.exited.then((exit) => {
    if (exit.reason === 'destroyed') return undefined;
    if (exit.outOfMemory)
      return control.end(
        RunEnd.failed('out_of_memory', 'The sandbox used more memory than its environment allows and was killed.'),
      );
    if (exit.reason === 'engine_lost')
      return control.end(RunEnd.failed('engine_lost', 'The container engine stopped or lost the sandbox.'));
    return control.end(RunEnd.failed('sandbox_died', `The sandbox died (exit code ${exit.exitCode ?? 'unknown'}).`));
  });
}
