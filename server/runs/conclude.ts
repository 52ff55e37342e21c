import { setTimeout as sleep } from 'node:timers/promises';
import type { NewEvent, Usage } from '../../shared/protocol/events.ts';
import { LogUnavailable } from '../events/ports.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Absence, Sandbox, SandboxExit } from '../sandbox/sandbox.ts';
import { RunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';
import { collectResult, type RunResult } from './result.ts';

const NO_RESULT: RunResult = { patch: null, commits: [], bundle: null };
const RESULT_DEADLINE_MS = 120_000;
const KILL_DEADLINE_MS = 50_000;
const DESTROY_DEADLINE_MS = 60_000;
/** How often the last events are tried again when the log does not take them, and how long between. */
const LOG_RETRIES = 10;
const LOG_RETRY_MS = 1000;

interface Destroyed {
  readonly absent: Absence;
  readonly ms: number;
}

/**
 * The end of every run, good or bad: the way out is closed first, then the agent's processes end, what it made is
 * taken out, the sandbox is destroyed and looked for, and only then the run has ended.
 */
export async function concludeRun(run: RunScope, end: RunEnd | undefined): Promise<void> {
  const { control, resources } = run;
  const { sandbox } = resources;
  const frozen = control.endWork();
  resources.timeLimit.stop();
  await quietly(run, 'closing the egress gateway', () => resources.gateway?.close());
  // A frozen sandbox runs nothing, git included.
  if (frozen && sandbox)
    await quietly(run, 'waking the sandbox', () => withDeadline(sandbox.resume(), 10_000, 'Waking the sandbox'));

  const exit = sandbox ? await exitedAlready(sandbox) : undefined;
  const { result, failure } = await takeResult(run, exit, end);
  const usage = await measureUsage(run, exit);
  const destroyed = sandbox ? await destroy(run, sandbox) : undefined;
  await quietly(run, 'releasing the run', () => resources.cleanup.run());
  await writeEnd(run, lastEvents({ run, exit, result, usage, destroyed }), failure);
}

/** A run that worked and whose work cannot be had has failed; one that failed anyway keeps its first reason. */
async function takeResult(
  run: RunScope,
  exit: SandboxExit | undefined,
  end: RunEnd | undefined,
): Promise<{ result: RunResult; failure: RunEnd | undefined }> {
  const { deps, plan, resources } = run;
  const { sandbox, source } = resources;
  // Where the log is lost nobody could ever learn of a result.
  if (!sandbox || !source || exit || end?.code === 'log_unavailable') return { result: NO_RESULT, failure: end };
  try {
    await withDeadline(sandbox.killAll(), KILL_DEADLINE_MS, 'Ending the agent’s processes');
    const signal = AbortSignal.timeout(RESULT_DEADLINE_MS);
    const result = await collectResult(
      sandbox,
      source,
      (name, content) => deps.blobs.write(plan.runId, name, content, signal),
      signal,
    );
    return { result, failure: end };
  } catch (error) {
    deps.logger.warn({ runId: plan.runId, error: messageOf(error) }, 'the result could not be taken');
    const message = `The result could not be taken out of the sandbox: ${messageOf(error)}`;
    const failure = end ?? (error instanceof RunEnd ? error : RunEnd.failed('result_failed', message, error));
    return { result: NO_RESULT, failure };
  }
}

async function measureUsage(run: RunScope, exit: SandboxExit | undefined): Promise<Usage> {
  const { gateway, sandbox, timeLimit, tokens } = run.resources;
  const totals = gateway?.totals() ?? { sentBytes: 0, receivedBytes: 0 };
  let cpuMs = 0;
  await quietly(run, 'reading the usage', async () => {
    if (sandbox && !exit) ({ cpuMs } = await withDeadline(sandbox.stats(), 5000, 'Reading the usage'));
  });
  return {
    wallMs: timeLimit.spentMs,
    cpuMs: Math.round(cpuMs),
    egressSentBytes: totals.sentBytes,
    egressReceivedBytes: totals.receivedBytes,
    inputTokens: tokens.input,
    outputTokens: tokens.output,
  };
}

async function destroy(run: RunScope, sandbox: Sandbox): Promise<Destroyed> {
  const startedAt = performance.now();
  let absent: Absence = { container: false, mount: false, loopDevice: false, socket: false };
  await quietly(run, 'destroying the sandbox', async () => {
    absent = await withDeadline(sandbox.destroy(), DESTROY_DEADLINE_MS, 'Destroying the sandbox');
  });
  return { absent, ms: Math.round(performance.now() - startedAt) };
}

async function exitedAlready(sandbox: Sandbox): Promise<SandboxExit | undefined> {
  return Promise.race([sandbox.exited, sleep(0).then(() => undefined)]);
}

function lastEvents(facts: {
  run: RunScope;
  exit: SandboxExit | undefined;
  result: RunResult;
  usage: Usage;
  destroyed: Destroyed | undefined;
}): NewEvent[] {
  const { run, exit, result, usage, destroyed } = facts;
  const { source } = run.resources;
  const events: NewEvent[] = [];
  if (exit)
    events.push({
      type: 'sandbox.exited',
      actor: 'server',
      data: { exitCode: exit.exitCode, outOfMemory: exit.outOfMemory, reason: exit.reason },
    });
  const made = {
    ...result,
    commits: [...result.commits],
    base: source?.base ?? null,
    branch: source?.branch ?? null,
    usage,
  };
  events.push({ type: 'run.result', actor: 'server', data: made });
  if (!destroyed) return events;
  events.push({ type: 'sandbox.destroyed', actor: 'server', data: destroyed });
  const left = Object.entries(destroyed.absent).flatMap(([what, absent]) => (absent ? [] : [what]));
  if (left.length > 0) {
    const message = `Still there after destruction: ${left.join(', ')}. The server goes on trying.`;
    events.push({ type: 'alert.raised', actor: 'server', data: { rule: 'sandbox.left-behind', message } });
  }
  return events;
}

/** Writes the last events together, again and again while the log refuses them; gives up to the janitor. */
async function writeEnd(run: RunScope, events: readonly NewEvent[], failure: RunEnd | undefined): Promise<void> {
  const { deps, plan, log } = run;
  const why = failure ? { failure: { code: failure.code, message: failure.message } } : {};
  for (let attempt = 1; ; attempt++) {
    try {
      await log.transition(failure?.state ?? 'succeeded', why, events);
      await deps.signHead(plan.runId);
      return;
    } catch (error) {
      if (!(error instanceof LogUnavailable) || attempt === LOG_RETRIES) {
        deps.logger.error(
          { runId: plan.runId, error: messageOf(error) },
          'the end of the run could not be written; it will be when the log can be',
        );
        return;
      }
      await sleep(LOG_RETRY_MS);
    }
  }
}

/** The end goes on whatever fails in it; what failed is in the server's log. */
async function quietly({ deps, plan }: RunScope, what: string, work: () => unknown): Promise<void> {
  try {
    await work();
  } catch (error) {
    deps.logger.error({ runId: plan.runId, error: messageOf(error) }, `${what} failed`);
  }
}
