import { setTimeout as sleep } from 'node:timers/promises';
import { RequestError } from '@agentclientprotocol/sdk';
import { messageOf } from '../base/lifecycle.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { AgentFailure } from './failure.ts';
import type { Diagnostics } from './stderr.ts';

/** JSON-RPC codes that ACP gives a meaning of its own (https://agentclientprotocol.com/protocol/v1/schema). */
const AUTH_REQUIRED = -32_000;
/** A shell's words for «cannot be executed» and «not found», which `env` uses as well. */
const NOT_STARTED: ReadonlySet<number> = new Set([126, 127]);
const MAX_DETAIL = 500;

export interface FailedRequest {
  readonly error: unknown;
  readonly method: string;
  /** Aborted when the connection has ended; its reason is what ended it. */
  readonly connection: AbortSignal;
  readonly process: SandboxProcess;
  readonly diagnostics: Diagnostics;
  /** Milliseconds in which a process whose output has ended is expected to end as well. */
  readonly exitMs: number;
}

/** The reason behind a request that failed: the agent's own error, a broken rule, or a process or sandbox that is gone. */
export async function explainFailure(request: FailedRequest): Promise<unknown> {
  const { error, method, connection, process, diagnostics, exitMs } = request;
  if (error instanceof AgentFailure) return error;
  if (!connection.aborted) return error instanceof RequestError ? refused(method, error) : error;
  const reason: unknown = connection.reason;
  // The SDK's own reason is that the output has ended; any other came from us.
  if (reason instanceof Error && reason.message !== 'ACP connection closed') return reason;
  const [exit] = await Promise.all([settled(process.exit, exitMs), settled(diagnostics.ended, exitMs)]);
  if (exit.status === 'rejected') return sandboxGone(exit.reason);
  const what = exit.status === 'pending' ? 'closed its output' : `ended with exit code ${exit.value}`;
  const message = withLastWords(`The agent ${what} while it was asked for ${method}.`, diagnostics);
  if (exit.status === 'pending') return new AgentFailure('agent_protocol', message, error);
  return new AgentFailure(NOT_STARTED.has(exit.value) ? 'agent_unavailable' : 'agent_exited', message);
}

export function sandboxGone(error: unknown): AgentFailure {
  return new AgentFailure('sandbox_died', `The agent's sandbox is gone: ${messageOf(error)}`, error);
}

export function withLastWords(message: string, diagnostics: Diagnostics): string {
  const tail = diagnostics.tail();
  return tail === '' ? message : `${message} Its last words: ${tail}`;
}

function refused(method: string, error: RequestError): AgentFailure {
  const detail = error.data === undefined ? '' : ` (${JSON.stringify(error.data).slice(0, MAX_DETAIL)})`;
  const message = `The agent answered ${method} with an error: ${error.message.slice(0, MAX_DETAIL)}${detail}`;
  return new AgentFailure(error.code === AUTH_REQUIRED ? 'agent_unavailable' : 'agent_exited', message, error);
}

/** What became of a promise within `ms` milliseconds. */
async function settled<T>(
  promise: Promise<T>,
  ms: number,
): Promise<PromiseSettledResult<T> | { readonly status: 'pending' }> {
  const outcome = Promise.allSettled([promise]).then(([result]) => result);
  return Promise.race([outcome, sleep(ms, { status: 'pending' as const }, { ref: false })]);
}
