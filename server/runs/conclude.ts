import { setTimeout as sleep } from 'node:timers/promises';
import type { Usage } from '../../shared/protocol/events.ts';
import { LogUnavailable } from '../events/ports.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Absence, Sandbox } from '../sandbox/sandbox.ts';
import type { RunDeps } from './run-deps.ts';
import type { RunPlan, RunResources } from './run-driver.ts';
import { RunEnd } from './run-end.ts';
import type { RunControl } from './run-control.ts';
import type { RunLog } from './run-log.ts';
import { collectResult, type RunResult } from './result.ts';

const NO_RESULT: RunResult = { patch: null, commits: [], bundle: null };
const RESULT_DEADLINE_MS = 120_000;
const DESTROY_DEADLINE_MS = 60_000;
/** How often the last events are tried again when the log does not take them, and how long between. */
const LOG_RETRIES = 10;
const LOG_RETRY_MS = 1000;

/**
 * The end of every run, good or bad: the way out is closed first, then the agent's processes end, what it made is
 * taken out, the sandbox is destroyed and looked for, and only then the run has ended.
 */
export async function concludeRun(
  deps: RunDeps,
  plan: RunPlan,
  log: RunLog,
  resources: RunResources,
  control: RunControl,
  end: RunEnd | undefined,
): Promise<void> {
  const frozen = control.endWork();
  resources.timeLimit.stop();
  await quietly(deps, plan, 'closing the egress gateway', () => resources.gateway?.close());

  const sandbox = resources.sandbox;
  // A frozen sandbox runs nothing, git included.
  if (frozen)
    await quietly(
      deps,
      plan,
      'waking the sandbox',
      () => sandbox && withDeadline(sandbox.resume(), 10_000, 'Waking the sandbox'),
    );
  const exit = sandbox ? await exitedAlready(sandbox) : undefined;
  const logLost = end?.code === 'log_unavailable';
  let result = NO_RESULT;
  let failure = end;
  if (sandbox && resources.source && !exit && !logLost) {
    try {
      result = await takeResult(deps, plan, sandbox, resources);
    } catch (error) {
      // A run that worked and whose work cannot be had has failed; one that failed anyway keeps its first reason.
      failure ??=
        error instanceof RunEnd
          ? error
          : RunEnd.failed(
              'result_failed',
              `The result could not be taken out of the sandbox: ${messageOf(error)}`,
              error,
            );
      deps.logger.warn({ runId: plan.runId, error: messageOf(error) }, 'the result could not be taken');
    }
  }
  const usage = await measureUsage(deps, plan, resources, exit === undefined ? sandbox : undefined);
  const destroyed = sandbox ? await destroy(deps, plan, sandbox) : undefined;
  await quietly(deps, plan, 'releasing the run', () => resources.cleanup.run());

  const state = failure?.state ?? 'succeeded';
  await writeEnd(deps, plan, async () => {
    if (exit)
      await log.emit({
        type: 'sandbox.exited',
        actor: 'server',
        data: { exitCode: exit.exitCode, outOfMemory: exit.outOfMemory, reason: exit.reason },
      });
    await log.emit({
      type: 'run.result',
      actor: 'server',
      data: {
        ...result,
        commits: [...result.commits],
        base: resources.source?.base ?? null,
        branch: resources.source?.branch ?? null,
        usage,
      },
    });
    if (destroyed) {
      await log.emit({ type: 'sandbox.destroyed', actor: 'server', data: destroyed });
      if (!Object.values(destroyed.absent).every(Boolean)) {
        const left = Object.entries(destroyed.absent).filter(([, absent]) => !absent);
        await log.emit({
          type: 'alert.raised',
          actor: 'server',
          data: {
            rule: 'sandbox.left-behind',
            message: `Still there after destruction: ${left.map(([what]) => what).join(', ')}. The server goes on trying.`,
          },
        });
      }
    }
    await log.transition(state, failure ? { failure: { code: failure.code, message: failure.message } } : {});
  });
}

async function takeResult(deps: RunDeps, plan: RunPlan, sandbox: Sandbox, resources: RunResources): Promise<RunResult> {
  const { source } = resources;
  if (!source) return NO_RESULT;
  await withDeadline(sandbox.killAll(), 10_000, 'Ending the agent’s processes');
  const signal = AbortSignal.timeout(RESULT_DEADLINE_MS);
  return collectResult(sandbox, source, (name, content) => deps.blobs.write(plan.runId, name, content, signal), signal);
}

async function measureUsage(
  deps: RunDeps,
  plan: RunPlan,
  resources: RunResources,
  alive: Sandbox | undefined,
): Promise<Usage> {
  const totals = resources.gateway?.totals() ?? { sentBytes: 0, receivedBytes: 0 };
  let cpuMs = 0;
  await quietly(deps, plan, 'reading the usage', async () => {
    if (alive) ({ cpuMs } = await withDeadline(alive.stats(), 5000, 'Reading the usage'));
  });
  return {
    wallMs: resources.timeLimit.spentMs,
    cpuMs: Math.round(cpuMs),
    egressSentBytes: totals.sentBytes,
    egressReceivedBytes: totals.receivedBytes,
    inputTokens: resources.tokens.input,
    outputTokens: resources.tokens.output,
  };
}

async function destroy(deps: RunDeps, plan: RunPlan, sandbox: Sandbox): Promise<{ absent: Absence; ms: number }> {
  const startedAt = performance.now();
  let absent: Absence = { container: false, mount: false, loopDevice: false, socket: false };
  await quietly(deps, plan, 'destroying the sandbox', async () => {
    absent = await withDeadline(sandbox.destroy(), DESTROY_DEADLINE_MS, 'Destroying the sandbox');
  });
  return { absent, ms: Math.round(performance.now() - startedAt) };
}

async function exitedAlready(sandbox: Sandbox) {
  return Promise.race([sandbox.exited, sleep(0).then(() => undefined)]);
}

/** Writes the last events, again and again while the log refuses them; gives up to recovery at the next start. */
async function writeEnd(deps: RunDeps, plan: RunPlan, write: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await write();
      await deps.signHead(plan.runId);
      return;
    } catch (error) {
      if (!(error instanceof LogUnavailable) || attempt === LOG_RETRIES) {
        deps.logger.error(
          { runId: plan.runId, error: messageOf(error) },
          'the end of the run could not be written; the next start will',
        );
        return;
      }
      await sleep(LOG_RETRY_MS);
    }
  }
}

/** The end goes on whatever fails in it; what failed is in the server's log. */
async function quietly(deps: RunDeps, plan: RunPlan, what: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    deps.logger.error({ runId: plan.runId, error: messageOf(error) }, `${what} failed`);
  }
}
