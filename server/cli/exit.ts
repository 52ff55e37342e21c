import { CaissonError, type ErrorCode } from '../../shared/protocol/errors.ts';
import type { Paint } from './output/paint.ts';
import { safeText } from './output/safe-text.ts';

/** What `caisson` ends with; scripts rely on these. */
export const EXIT = { succeeded: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

const EXIT_BY_CODE: Partial<Record<ErrorCode, number>> = {
  invalid_request: EXIT.usage,
  unauthenticated: EXIT.unreachable,
  forbidden: EXIT.unreachable,
  unavailable: EXIT.unreachable,
};

/** The user pressed Ctrl-C; nothing is wrong and nothing needs to be explained. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export function exitCodeFor(error: unknown): number {
  if (error instanceof Interrupted) return EXIT.interrupted;
  return error instanceof CaissonError ? (EXIT_BY_CODE[error.code] ?? EXIT.failed) : EXIT.failed;
}

/** One sentence about what went wrong and what to do; the stack only for those who ask for it with CAISSON_DEBUG. */
export function describeError(error: unknown, paint: Paint, env: NodeJS.ProcessEnv): string {
  if (error instanceof Interrupted) return '';
  const debug = env['CAISSON_DEBUG'] ? `${stackOf(error)}\n` : '';
  if (!(error instanceof CaissonError)) {
    const message = error instanceof Error ? error.message : String(error);
    return `${paint('bad', 'error:')} ${safeText(message)}\n${debug || 'Set CAISSON_DEBUG=1 to see where it happened.\n'}`;
  }
  // The message of a refused request already holds its first field; the others follow, one a line.
  const fields = (error.details ?? []).slice(1).map((issue) => `  ${issue.path}: ${issue.message}`);
  const request = error.requestId && error.code === 'internal' ? [`  request id: ${error.requestId}`] : [];
  return `${paint('bad', 'error:')} ${safeText([error.message, ...fields, ...request].join('\n'))}\n${debug}`;
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${stackOf(error.cause)}`;
  return (error.stack ?? error.message) + cause;
}
