import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Agent, Environment, RunInput } from '../../shared/protocol/rest.ts';
import type { EgressGateway } from '../egress/gateway.ts';
import { Cleanup, messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Sandbox, SandboxProcess } from '../sandbox/sandbox.ts';
import type { Redactor } from '../vault/redactor.ts';
import type { RunDeps } from './run-deps.ts';
import { RunEnd, toRunEnd } from './run-end.ts';
import type { RunControl } from './run-control.ts';
import type { RunLog } from './run-log.ts';
import { branchOf, bringSource, type SourceReady } from './source.ts';
import { runScript } from './steps.ts';
import { openTerminal, type TerminalOrder } from './terminal.ts';
import { runTurns } from './turns.ts';
import { concludeRun } from './conclude.ts';
import { TimeLimit } from './time-limit.ts';

/** One run as it was ordered: what the driver needs to know, and nothing that it could change. */
export interface RunPlan {
  readonly runId: string;
  readonly organizationId: string;
  readonly prompt: string;
  readonly agent: Agent;
  readonly environment: Environment;
  readonly source: Exclude<RunInput['source'], undefined>;
  readonly interactive: boolean;
  /** The environment's secrets by name: the setup script gets them, the agent does not. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Takes those secrets out of everything that the run says. */
  readonly redactor: Redactor;
}

/** What a run holds while it goes on; each field appears when the thing exists. */
export interface RunResources {
  gateway?: EgressGateway;
  sandbox?: Sandbox;
  source?: SourceReady;
  timeLimit: TimeLimit;
  tokens: { input: number; output: number };
  readonly cleanup: Cleanup;
}

/** What the driver lets others do to the sandbox while it works. */
export interface RunHandle {
  pause: (paused: boolean) => Promise<void>;
  openTerminal: (order: TerminalOrder) => Promise<SandboxProcess>;
}

const MIB = 1024 * 1024;
const EXIT_GRACE_MS = 2000;

/**
 * One run from start to finish, told from top to bottom. Whatever happens, it ends with everything released, looked
 * for, and a final `run.state` in the log (unless the log itself is lost: then recovery writes it at the next start).
 */
export async function driveRun(
  deps: RunDeps,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  handle: RunHandle,
): Promise<void> {
  const timeLimit = new TimeLimit(plan.environment.timeLimitSeconds * 1000, () => {
    control.end(
      new RunEnd(
        'timed_out',
        'time_limit',
        `The run reached its time limit of ${plan.environment.timeLimitSeconds} s.`,
      ),
    );
  });
  const resources: RunResources = { timeLimit, tokens: { input: 0, output: 0 }, cleanup: new Cleanup() };
  resources.cleanup.add('time limit', () => timeLimit.stop());
  let end: RunEnd | undefined;
  try {
    await work(deps, plan, control, log, resources, handle);
  } catch (error) {
    // An abort reason outranks the error that it caused on its way.
    end = control.ended ?? toRunEnd(error);
    if (end.code === 'internal')
      deps.logger.error(
        { runId: plan.runId, error: messageOf(error), stack: error instanceof Error ? error.stack : undefined },
        'run failed',
      );
    control.end(end);
  }
  await concludeRun(deps, plan, log, resources, control, end);
}

async function work(
  deps: RunDeps,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  resources: RunResources,
  handle: RunHandle,
): Promise<void> {
  const { signal } = control;
  const leave = await deps.admission.enter(signal);
  resources.cleanup.add('admission slot', leave);
  await log.transition('preparing');
  resources.timeLimit.start();

  resources.gateway = await openEgress(deps, plan, control, log, resources.cleanup);
  const sandbox = await createSandbox(deps, plan, control, log, resources);
  watchSandbox(sandbox, control);

  resources.source = await prepareSource(deps, plan, sandbox, signal);
  await log.emit({ type: 'git.ready', actor: 'server', data: resources.source });
  await setUp(plan, sandbox, log, signal);

  handle.openTerminal = (order) => openTerminal(sandbox, log, control.signal, order);
  handle.pause = (paused) => setPaused(paused, control, sandbox, resources.timeLimit);
  await runTurns(deps, plan, control, log, sandbox, resources);
}

/** The socket and the gate behind it, before there is anyone who could use them. */
async function openEgress(
  deps: RunDeps,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  cleanup: Cleanup,
): Promise<EgressGateway> {
  const folder = egressFolder(deps, plan.runId);
  // The parent is private to the server; the folder itself appears in the sandbox, whose users must be able to enter it.
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  await mkdir(folder, { mode: 0o755 });
  cleanup.add('egress folder', () => rm(folder, { recursive: true, force: true }));
  const gateway = await deps.createEgressGateway({
    socketPath: join(folder, 'egress.sock'),
    network: plan.environment.network,
    record: (event) => log.emit(event),
    onFailClosed: (error) => control.end(toRunEnd(error)),
  });
  cleanup.add('egress gateway', () => gateway.close());
  return gateway;
}

export function egressFolder(deps: Pick<RunDeps, 'dataDir'>, runId: string): string {
  return join(deps.dataDir, 'egress', runId);
}

async function createSandbox(
  deps: RunDeps,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  resources: RunResources,
): Promise<Sandbox> {
  const { resources: size, image } = plan.environment;
  const { mounts } = deps.agentLaunch(plan.agent);
  const info = await deps.sandboxes.describe();
  await log.emit({
    type: 'sandbox.creating',
    actor: 'server',
    data: {
      image,
      runtime: info.runtime,
      cpus: size.cpus,
      memoryMiB: size.memoryMiB,
      diskMiB: size.diskMiB,
      maxProcesses: size.maxProcesses,
    },
  });
  const { cleanup } = resources;
  let sandbox: Sandbox;
  try {
    sandbox = await deps.sandboxes.create(
      {
        runId: plan.runId,
        image,
        cpus: size.cpus,
        memoryBytes: size.memoryMiB * MIB,
        diskBytes: size.diskMiB * MIB,
        maxProcesses: size.maxProcesses,
        egressFolder: egressFolder(deps, plan.runId),
        readOnlyMounts: mounts,
        onIdentified: (sandboxId) =>
          cleanup.add('kernel witness', watchKernel(deps, sandboxId, control, log, resources)),
      },
      control.signal,
    );
  } catch (error) {
    if (control.ended) throw control.ended;
    throw RunEnd.failed('sandbox_failed', `The sandbox could not be created: ${messageOf(error)}`, error);
  }
  resources.sandbox = sandbox;
  const { id: sandboxId, kernel, coldStartMs } = sandbox;
  await log.emit({
    type: 'sandbox.ready',
    actor: 'server',
    data: { sandboxId, runtime: info.runtime, kernel, coldStartMs },
  });
  return sandbox;
}

/** The witness's account goes into the log as it comes; a run without its witness does not go on. */
function watchKernel(
  deps: RunDeps,
  sandboxId: string,
  control: RunControl,
  log: RunLog,
  resources: RunResources,
): () => Promise<void> {
  return deps.witness.watch(sandboxId, {
    // A batch waits for the one before, so a flood of processes goes at the pace of the log. A refused append has
    // already closed the egress (RunLog); here it also ends the run.
    onEvents: async (events) => {
      try {
        await log.emit(...events);
      } catch (error) {
        control.end(toRunEnd(error));
      }
    },
    onLost: (reason) => {
      witnessLost(reason, control, resources).catch((error: unknown) => control.end(toRunEnd(error)));
    },
  });
}

/**
 * Nothing leaves a sandbox that nobody watches. A dying sandbox also ends its trace connection, a little before the
 * engine reports its exit: that exit is then the better reason, so it is given a moment to arrive.
 */
async function witnessLost(reason: string, control: RunControl, resources: RunResources): Promise<void> {
  await resources.gateway?.close();
  const exited = resources.sandbox?.exited ?? new Promise<never>(() => undefined);
  await Promise.race([exited, sleep(EXIT_GRACE_MS, undefined, { ref: false })]);
  control.end(RunEnd.failed('witness_lost', `The kernel's witness was lost: ${reason}`));
}

function watchSandbox(sandbox: Sandbox, control: RunControl): void {
  void sandbox.exited.then((exit) => {
    if (exit.reason === 'destroyed') return;
    if (exit.outOfMemory)
      return control.end(
        RunEnd.failed('out_of_memory', 'The sandbox used more memory than its environment allows and was killed.'),
      );
    if (exit.reason === 'engine_lost')
      return control.end(RunEnd.failed('engine_lost', 'The container engine stopped or lost the sandbox.'));
    return control.end(RunEnd.failed('sandbox_died', `The sandbox died (exit code ${exit.exitCode ?? 'unknown'}).`));
  });
}

async function prepareSource(
  deps: RunDeps,
  plan: RunPlan,
  sandbox: Sandbox,
  signal: AbortSignal,
): Promise<SourceReady> {
  const branch = branchOf(plan.runId);
  if (plan.source.kind !== 'upload') return bringSource(sandbox, plan.source, { branch, signal });
  const bundle = await deps.uploads.read(plan.organizationId, plan.source.uploadId);
  return bringSource(sandbox, plan.source, { branch, bundle, signal });
}

async function setUp(plan: RunPlan, sandbox: Sandbox, log: RunLog, signal: AbortSignal): Promise<void> {
  const { setupScript, variables } = plan.environment;
  if (setupScript.trim() === '') return;
  const secrets = Object.values(plan.secrets);
  const exitCode = await runScript(sandbox, log, {
    step: 'setup',
    script: setupScript,
    env: { ...variables, ...plan.secrets },
    redactor: plan.redactor,
    signal,
  });
  if (exitCode !== 0) throw RunEnd.failed('setup_failed', `The setup script ended with exit code ${exitCode}.`);
  // A process that the script left behind still holds the secrets in its environment; the agent could read them there.
  if (secrets.length > 0) await withDeadline(sandbox.killAll(), 10_000, 'Ending what the setup script left');
}

/** Freezes or wakes the whole sandbox. The event is written when it is true: after freezing, before waking. */
async function setPaused(paused: boolean, control: RunControl, sandbox: Sandbox, timeLimit: TimeLimit): Promise<void> {
  if (paused) {
    if (!control.canPause)
      throw new CaissonError('conflict', control.isPaused ? 'The run is paused already.' : 'The run is ending.');
    await withDeadline(sandbox.pause(), 10_000, 'Pausing the sandbox');
    timeLimit.stop();
    await control.setPaused(true);
  } else {
    if (!control.isPaused) throw new CaissonError('conflict', 'The run is not paused.');
    await control.setPaused(false);
    timeLimit.start();
    await withDeadline(sandbox.resume(), 10_000, 'Waking the sandbox');
  }
}
