import type { AgentSession } from '../acp/session.ts';
import { withDeadline } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { RunDeps } from './run-deps.ts';
import type { RunPlan, RunResources } from './run-driver.ts';
import { RunEnd } from './run-end.ts';
import type { RunControl } from './run-control.ts';
import type { RunLog } from './run-log.ts';

/** Milliseconds that an agent is given to stop politely before its processes are killed. */
const POLITE_STOP_MS = 3000;

/** The agent's part: one turn for the prompt, and one for every message that follows. */
export async function runTurns(
  deps: RunDeps,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  sandbox: Sandbox,
  resources: RunResources,
): Promise<void> {
  await control.beginWork();
  const session = await deps.openAgentSession({ plan, sandbox, control, log });
  try {
    let text: string | undefined = plan.prompt;
    while (text !== undefined) {
      await oneTurn(session, text, plan, control, log, resources);
      text =
        control.takeMessage() ??
        (plan.interactive ? await control.waitForMessage(plan.environment.idleLimitSeconds * 1000) : undefined);
    }
  } finally {
    if (control.signal.aborted) await politely(session);
    await session.close();
  }
}

async function oneTurn(
  session: AgentSession,
  text: string,
  plan: RunPlan,
  control: RunControl,
  log: RunLog,
  resources: RunResources,
): Promise<void> {
  const turn = await session.prompt(text, control.signal);
  control.signal.throwIfAborted();
  const exit = turn.exitCode === undefined ? {} : { exitCode: turn.exitCode };
  await log.emit({ type: 'agent.turn_ended', actor: 'agent', data: { reason: turn.stopReason, ...exit } });
  if (turn.usage) {
    resources.tokens = {
      input: resources.tokens.input + turn.usage.inputTokens,
      output: resources.tokens.output + turn.usage.outputTokens,
    };
  }
  // In a conversation a failed turn is something to talk about, not the end.
  if (plan.interactive) return;
  if (turn.exitCode !== undefined && turn.exitCode !== 0)
    throw RunEnd.failed('agent_exited', `The script ended with exit code ${turn.exitCode}.`);
  if (turn.stopReason === 'refusal') throw RunEnd.failed('agent_refused', 'The agent refused to go on.');
  if (turn.stopReason !== 'end_turn')
    throw RunEnd.failed('agent_exited', `The agent stopped before it was done: ${turn.stopReason}.`);
}

async function politely(session: AgentSession): Promise<void> {
  try {
    await withDeadline(session.cancel(), POLITE_STOP_MS, 'Stopping the agent');
  } catch {
    // It did not stop when asked; the end of the run kills its processes.
    return;
  }
}
