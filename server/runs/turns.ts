import type { AgentSession, TurnResult } from '../acp/session.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { RunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';

/** Milliseconds that an agent is given to stop politely before its processes are killed. */
const POLITE_STOP_MS = 3000;

/** The agent's part: one turn for the prompt, and one for every message that follows. */
export async function runTurns(run: RunScope, sandbox: Sandbox): Promise<void> {
  const { deps, plan, control, log } = run;
  await control.beginWork();
  const session = await deps.openAgentSession({ plan, sandbox, control, log });
  const idleMs = plan.environment.idleLimitSeconds * 1000;
  try {
    let text: string | undefined = plan.prompt;
    while (text !== undefined) {
      await oneTurn(run, session, text);
      text = control.takeMessage() ?? (plan.interactive ? await control.waitForMessage(idleMs) : undefined);
    }
  } finally {
    if (control.signal.aborted) await politely(run, session);
    await session.close();
  }
}

async function oneTurn(
  { plan, control, log, resources }: RunScope,
  session: AgentSession,
  text: string,
): Promise<void> {
  const turn = await session.prompt(text, control.signal);
  control.signal.throwIfAborted();
  const exit = turn.exitCode === undefined ? {} : { exitCode: turn.exitCode };
  await log.emit({ type: 'agent.turn_ended', actor: 'agent', data: { reason: turn.stopReason, ...exit } });
  if (turn.usage) {
    const { input, output } = resources.tokens;
    resources.tokens = { input: input + turn.usage.inputTokens, output: output + turn.usage.outputTokens };
  }
  // In a conversation a failed turn is something to talk about, not the end.
  if (!plan.interactive) requireSuccess(turn);
}

function requireSuccess({ exitCode, stopReason }: TurnResult): void {
  if (exitCode !== undefined && exitCode !== 0)
    throw RunEnd.failed('agent_exited', `The script ended with exit code ${exitCode}.`);
  if (stopReason === 'refusal') throw RunEnd.failed('agent_refused', 'The agent refused to go on.');
  if (stopReason !== 'end_turn')
    throw RunEnd.failed('agent_exited', `The agent stopped before it was done: ${stopReason}.`);
}

/** An agent that does not stop when it is asked is stopped by the end of the run, with its processes. */
async function politely({ deps, plan }: RunScope, session: AgentSession): Promise<void> {
  try {
    await withDeadline(session.cancel(), POLITE_STOP_MS, 'Stopping the agent');
  } catch (error) {
    deps.logger.debug({ runId: plan.runId, error: messageOf(error) }, 'the agent did not stop politely');
  }
}
