import type { RunFailureCode } from '../../shared/protocol/events.ts';
import { LogUnavailable } from '../events/ports.ts';

export type EndState = 'succeeded' | 'failed' | 'canceled' | 'timed_out' | 'over_budget';

/** Why a run ends, thrown through everything that it waits for: an abort reason and an error in one. */
export class RunEnd extends Error {
  override readonly name = 'RunEnd';
  readonly state: EndState;
  readonly code: RunFailureCode;

  constructor(state: EndState, code: RunFailureCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.state = state;
    this.code = code;
  }

  static failed(code: RunFailureCode, message: string, cause?: unknown): RunEnd {
    return new RunEnd('failed', code, message, cause);
  }
}

/** What an error that reached the end of a run means for it. Anything unforeseen is `internal`, without its details. */
export function toRunEnd(error: unknown): RunEnd {
  if (error instanceof RunEnd) return error;
  if (error instanceof LogUnavailable) return RunEnd.failed(error.code, error.message, error);
  if (hasFailureCode(error)) return RunEnd.failed(error.code, error.message, error);
  return RunEnd.failed('internal', 'The server failed while driving the run; its log has the details.', error);
}

function hasFailureCode(error: unknown): error is Error & { code: RunFailureCode } {
  return error instanceof Error && error.name === 'AgentFailure' && 'code' in error;
}
