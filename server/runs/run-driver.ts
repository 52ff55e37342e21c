import { CaissonError } from '../../shared/protocol/errors.ts';
import { Cleanup, withDeadline } from '../base/lifecycle.ts';
import type { Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import { concludeRun } from './conclude.ts';
import { openEgress } from './open-egress.ts';
import { createSandbox } from './create-sandbox.ts';
import { prepareSource, setUp } from './prepare.ts';
import { RunEnd, toRunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';
import { openTerminal, type TerminalOrder } from './terminal.ts';
import { TimeLimit } from './time-limit.ts';
import { runTurns } from './turns.ts';

/** What the driver lets others do to the sandbox while its agent works. */
export interface RunHandle {
  pause: (paused: boolean) => Promise<void>;
  openTerminal: (order: TerminalOrder) => Promise<SandboxProcess>;
}

/**
 * One run from start to finish, told from top to bottom. Whatever happens, it ends with everything released, looked
 * for, and a final `run.state` in the log (unless the log itself is lost: then the janitor or the next start writes it).
 */
export async function driveRun(parts: Omit<RunScope, 'resources'>, handle: RunHandle): Promise<void> {
  const { deps, plan, control } = parts;
  const seconds = plan.environment.timeLimitSeconds;
  const timeLimit = new TimeLimit(seconds * 1000, () => {
    control.end(new RunEnd('timed_out', 'time_limit', `The run reached its time limit of ${seconds} s.`));
  });
  const run: RunScope = { ...parts, resources: { timeLimit, tokens: { input: 0, output: 0 }, cleanup: new Cleanup() } };
  run.resources.cleanup.add('time limit', () => timeLimit.stop());
  let end: RunEnd | undefined;
  try {
    await work(run, handle);
  } catch (error) {
    // An abort reason outranks the error that it caused on its way.
    end = control.ended ?? toRunEnd(error);
    if (end.code === 'internal')
      deps.logger.error({ runId: plan.runId, err: error }, 'the run failed in an unforeseen way');
    control.end(end);
  }
  await concludeRun(run, end);
}

async function work(run: RunScope, handle: RunHandle): Promise<void> {
  const { deps, control, log, resources } = run;
  resources.cleanup.add('admission slot', await deps.admission.enter(control.signal));
  await log.transition('preparing');
  resources.timeLimit.start();

  resources.gateway = await openEgress(run);
  const sandbox = await createSandbox(run);
  resources.source = await prepareSource(run, sandbox);
  await log.emit({ type: 'git.ready', actor: 'server', data: resources.source });
  await setUp(run, sandbox);

  handle.openTerminal = (order) => openTerminal(sandbox, log, control.signal, order);
  handle.pause = (paused) => setPaused(paused, run, sandbox);
  await runTurns(run, sandbox);
}

const FREEZE_DEADLINE_MS = 10_000;

/** Freezes or wakes the whole sandbox. The event is written when it is true: after freezing, before waking. */
async function setPaused(paused: boolean, { control, resources }: RunScope, sandbox: Sandbox): Promise<void> {
  if (paused) {
    if (!control.canPause)
      throw new CaissonError('conflict', control.isPaused ? 'The run is paused already.' : 'The run is ending.');
    await withDeadline(sandbox.pause(), FREEZE_DEADLINE_MS, 'Pausing the sandbox');
    resources.timeLimit.stop();
    await control.setPaused(true);
  } else {
    if (!control.isPaused) throw new CaissonError('conflict', 'The run is not paused.');
    await control.setPaused(false);
    resources.timeLimit.start();
    await withDeadline(sandbox.resume(), FREEZE_DEADLINE_MS, 'Waking the sandbox');
  }
}
