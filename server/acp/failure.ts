import type { RunFailureCode } from '../../shared/protocol/events.ts';

/** Why an agent's part of a run cannot go on: the code for programs, the message for people. */
export class AgentFailure extends Error {
  override readonly name = 'AgentFailure';
  readonly code: RunFailureCode;

  constructor(code: RunFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
