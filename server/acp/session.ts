import type { ApprovalOption, NewEvent } from '../../shared/protocol/events.ts';

export interface TurnUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

export interface TurnResult {
  /** ACP's words (https://agentclientprotocol.com/protocol/prompt-turn#stop-reasons), `end_turn` for a good end. */
  readonly stopReason: string;
  /** For an agent that is a program without a protocol. */
  readonly exitCode?: number;
  readonly usage?: TurnUsage;
}

/** An agent at work in a sandbox, whatever it speaks. Turns follow each other; there is never more than one. */
export interface AgentSession {
  /**
   * One turn. Everything that the agent said in it is in the log when this resolves.
   * @throws {AgentFailure} when the agent cannot go on; the signal's reason when it was aborted
   */
  prompt(text: string, signal: AbortSignal): Promise<TurnResult>;
  /** Asks the agent to stop its turn, and resolves when it has stopped or ignored that for long enough. */
  cancel(): Promise<void>;
  /** Ends the conversation and releases the streams. Does not kill anything. Legal in every state. */
  close(): Promise<void>;
}

/** A question of the agent's: may it do this? */
export interface PermissionRequest {
  readonly toolCallId: string;
  readonly title: string;
  readonly kind: string;
  readonly input?: unknown;
  readonly options: readonly ApprovalOption[];
}

/** Removes secrets from text that comes in pieces; it may hold back an end that could be the start of a secret. */
export interface StreamRedactor {
  push(chunk: string): string;
  flush(): string;
}

/** What every kind of session needs of the run that it belongs to. */
export interface SessionContext {
  /** Appends to the run's log; a session reads no faster than this resolves. */
  readonly emit: (event: NewEvent) => Promise<void>;
  /** For streams of text, where a secret can be split across events. Whole events are redacted by `emit`. */
  readonly streamRedactor?: () => StreamRedactor;
}
