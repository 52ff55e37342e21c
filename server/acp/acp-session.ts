import { client, methods, PROTOCOL_VERSION, type ClientConnection } from '@agentclientprotocol/sdk';
import { z } from 'zod';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { untilAborted, withDeadline } from '../base/lifecycle.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { createCoalescer } from './coalescer.ts';
import { explainFailure, sandboxGone, withLastWords } from './explain.ts';
import { AgentFailure } from './failure.ts';
import type { AgentSession, PermissionRequest, SessionContext, TurnResult } from './session.ts';
import { createDiagnostics, type Diagnostics } from './stderr.ts';
import { createTransport, DEFAULT_LIMITS, type TransportLimits } from './transport.ts';
import { createUpdateReader, permissionSubject } from './updates.ts';

export interface AcpSessionOptions extends SessionContext {
  readonly process: SandboxProcess;
  /** The agent's name, for `agent.started` where it does not introduce itself. */
  readonly name: string;
  readonly clientInfo: { readonly name: string; readonly version: string };
  /** Default `/workspace`. */
  readonly cwd?: string;
  /** Precedes the first prompt as a block of its own. */
  readonly instructions?: string;
  /** The session mode to switch to if the agent offers it (session/set_mode). */
  readonly mode?: string | undefined;
  /** `_meta` of session/new: what this one agent understands beyond the protocol. */
  readonly sessionMeta?: Readonly<Record<string, unknown>> | undefined;
  /** Puts the agent's question to whoever decides; the chosen option's id, or null where nobody answers any more. */
  readonly requestPermission: (request: PermissionRequest) => Promise<string | null>;
  /** Aborting it ends the session while it is being set up. */
  readonly signal: AbortSignal;
  readonly limits?: Partial<TransportLimits>;
  readonly deadlines?: Partial<Deadlines>;
}

/** Milliseconds. */
export interface Deadlines {
  /** For each step until the agent is ready for the first prompt. A cold agent of 250 MB takes seconds in gVisor. */
  readonly startMs: number;
  /** For a turn to end after it was asked to. */
  readonly cancelMs: number;
  /** For the process to end after its input was closed. */
  readonly closeMs: number;
}

const DEFAULT_DEADLINES: Deadlines = { startMs: 60_000, cancelMs: 3000, closeMs: 2000 };

const initialized = z.object({
  protocolVersion: z.number(),
  agentInfo: z.object({ name: z.string().max(200), version: z.string().max(200) }).nullish(),
});
const sessionCreated = z.object({
  sessionId: z.string().min(1).max(1000),
  modes: z.object({ currentModeId: z.string(), availableModes: z.array(z.object({ id: z.string() })) }).nullish(),
});
const tokens = z.number().int().nonnegative();
const prompted = z.object({
  stopReason: z.string().max(100),
  usage: z.object({ inputTokens: tokens, outputTokens: tokens }).nullish().catch(undefined),
});

/**
 * Starts the conversation with an agent that speaks ACP v1 on its stdio. The agent works inside the sandbox with tools of
 * its own, so neither a file system nor a terminal is offered to it; every other request gets «method not found».
 *
 * Everything that it says goes through `emit` in the order in which it was said, and its stdout is read no faster than
 * that.
 * @throws {AgentFailure} `agent_protocol` or `agent_exited` when it does not come up within the deadlines
 */
export async function createAcpSession(options: AcpSessionOptions): Promise<AgentSession> {
  const { process, clientInfo, cwd = '/workspace', instructions, mode, emit, signal } = options;
  const deadlines = { ...DEFAULT_DEADLINES, ...options.deadlines };
  const state: State = { closed: false, failure: undefined, canceled: false, sessionId: undefined };
  let turn: Promise<unknown> = Promise.resolve();
  let cancelQuestions = new AbortController();
  let told = instructions === undefined || instructions.trim() === '';

  const fail = (error: unknown): void => {
    if (state.closed) return;
    state.failure ??= error;
    connection.close(error);
  };
  const diagnostics = createDiagnostics(process.stderr, options, fail);
  const text = createCoalescer<string>({
    write: (channel, piece) => emit({ type: channelType(channel), actor: 'agent', data: { text: piece } }),
    redactor: options.streamRedactor,
    onError: fail,
  });
  const readUpdate = createUpdateReader(() => state.sessionId);

  const stream = createTransport({
    stdin: process.stdin,
    stdout: process.stdout,
    limits: { ...DEFAULT_LIMITS, ...options.limits },
    onNoise: (line) => diagnostics.note(line),
    onUpdate: async (params) => {
      const update = readUpdate(params);
      if (update.kind === 'text') await text.push(`${update.channel} ${update.message}`, update.text);
      if (update.kind === 'event') {
        await text.flush();
        await emit(update.event);
      }
    },
  });
  // A process that is gone makes its stdin fail; the end of its stdout says so better.
  process.stdin.on('error', () => undefined);
  process.exit.catch((error: unknown) => fail(sandboxGone(error)));

  const connection: ClientConnection = client({ name: clientInfo.name })
    .onRequest(methods.client.session.requestPermission, async ({ params }) => {
      const canceled = { outcome: { outcome: 'cancelled' as const } };
      if (state.canceled || params.sessionId !== state.sessionId) return canceled;
      await text.flush();
      if (cancelQuestions.signal.aborted) return canceled;
      const choices = params.options.map(({ optionId, name, kind }) => ({ id: optionId, name, kind }));
      const question = { ...permissionSubject(params.toolCall), options: choices };
      const optionId = await answerOrNull(options.requestPermission(question), cancelQuestions.signal);
      if (optionId === null || !choices.some(({ id }) => id === optionId)) return canceled;
      return { outcome: { outcome: 'selected' as const, optionId } };
    })
    .connect(stream);

  /** Waits for an answer of the agent; its death, its bad manners and the log's failure end the waiting. */
  async function ask<T>(method: string, params: unknown, schema: z.ZodType<T>): Promise<T> {
    let answer: unknown;
    try {
      answer = await connection.agent.request(method, params);
    } catch (error) {
      if (state.failure !== undefined) throw state.failure;
      const exitMs = deadlines.closeMs;
      throw await explainFailure({ error, method, connection: connection.signal, process, diagnostics, exitMs });
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    const where = parsed.error.issues[0]?.path.join('.') ?? '';
    throw new AgentFailure(
      'agent_protocol',
      `The agent's answer to ${method} is not valid ACP v1 (${where || 'as a whole'}).`,
    );
  }

  const start = <T>(method: string, params: unknown, schema: z.ZodType<T>): Promise<T> =>
    signal.aborted
      ? Promise.reject(signal.reason as Error)
      : untilAborted(inTime(ask(method, params, schema), deadlines.startMs, method, diagnostics), signal);

  async function close(): Promise<void> {
    if (state.closed) return;
    state.closed = true;
    cancelQuestions.abort();
    process.stdin.end();
    const ended = Promise.allSettled([process.exit, diagnostics.ended]);
    await withDeadline(ended, deadlines.closeMs, 'Ending the agent').catch(() => undefined); // Who owns the sandbox kills it.
    connection.close();
    process.stdout.destroy();
    process.stderr.destroy();
    await Promise.allSettled([text.flush(), diagnostics.flush()]);
  }

  try {
    const clientCapabilities = { fs: { readTextFile: false, writeTextFile: false }, terminal: false };
    const hello = await start(
      methods.agent.initialize,
      { protocolVersion: PROTOCOL_VERSION, clientCapabilities, clientInfo },
      initialized,
    );
    if (hello.protocolVersion !== PROTOCOL_VERSION) {
      throw new AgentFailure(
        'agent_protocol',
        `The agent speaks ACP v${hello.protocolVersion}; Caisson speaks v${PROTOCOL_VERSION}.`,
      );
    }
    const meta = options.sessionMeta ? { _meta: options.sessionMeta } : {};
    const created = await start(methods.agent.session.new, { cwd, mcpServers: [], ...meta }, sessionCreated);
    const { sessionId, modes } = created;
    state.sessionId = sessionId;
    if (
      mode !== undefined &&
      modes &&
      modes.currentModeId !== mode &&
      modes.availableModes.some(({ id }) => id === mode)
    ) {
      await start(methods.agent.session.setMode, { sessionId, modeId: mode }, z.unknown());
    }
    const { name, version } = hello.agentInfo ?? { name: options.name, version: undefined };
    const data = { name, ...(version === undefined ? {} : { version }), protocol: `acp/${PROTOCOL_VERSION}` };
    await emit({ type: 'agent.started', actor: 'agent', data });
  } catch (error) {
    await close();
    throw error;
  }
  const { sessionId } = state;

  async function prompt(words: string, promptSignal: AbortSignal): Promise<TurnResult> {
    promptSignal.throwIfAborted();
    state.canceled = false;
    cancelQuestions = new AbortController();
    const blocks = told ? [words] : [instructions!, words];
    told = true;
    const params = { sessionId, prompt: blocks.map((block) => ({ type: 'text', text: block })) };
    const asked = ask(methods.agent.session.prompt, params, prompted);
    turn = asked;
    asked.catch(() => undefined); // It may fail after the signal has ended this wait.
    const { stopReason, usage } = await untilAborted(asked, promptSignal);
    await text.flush();
    if (!usage) return { stopReason };
    await emit({ type: 'agent.usage', actor: 'agent', data: usage });
    return { stopReason, usage };
  }

  async function cancel(): Promise<void> {
    if (state.closed || state.failure !== undefined) return;
    state.canceled = true;
    cancelQuestions.abort();
    const stopped = connection.agent.notify(methods.agent.session.cancel, { sessionId }).then(() => turn);
    // An agent that does not stop is killed with its sandbox; one whose turn fails has stopped as well.
    await withDeadline(stopped, deadlines.cancelMs, 'Canceling the turn').catch(() => undefined);
  }

  return { prompt, cancel, close };
}

interface State {
  closed: boolean;
  /** What ended the conversation, when it was not the process's end. */
  failure: unknown;
  canceled: boolean;
  sessionId: string | undefined;
}

/** A text channel is the event's type and the agent's message id: another message is another event. */
function channelType(channel: string): 'agent.message' | 'agent.thought' {
  return channel.startsWith('agent.thought') ? 'agent.thought' : 'agent.message';
}

async function answerOrNull(answer: Promise<string | null>, signal: AbortSignal): Promise<string | null> {
  try {
    return await untilAborted(answer, signal);
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

async function inTime<T>(answer: Promise<T>, ms: number, method: string, diagnostics: Diagnostics): Promise<T> {
  try {
    return await withDeadline(answer, ms, method);
  } catch (error) {
    answer.catch(() => undefined); // It fails later, when the connection is closed.
    if (!(error instanceof CaissonError)) throw error;
    await diagnostics.flush();
    const message = `The agent did not answer ${method} within ${ms / 1000} s. Does its command speak ACP on stdout?`;
    throw new AgentFailure('agent_protocol', withLastWords(message, diagnostics), error);
  }
}
