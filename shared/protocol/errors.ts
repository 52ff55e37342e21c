import * as z from 'zod';

/** Every code that an API response, a stream message or a rejected call may carry, with its HTTP status (RFC 9110). */
export const ERROR_STATUS = {
  invalid_request: 400,
  unauthenticated: 401,
  budget_exhausted: 402,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  rate_limited: 429,
  internal: 500,
  sandbox_unavailable: 503,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;
export const errorCodes = Object.keys(ERROR_STATUS) as [ErrorCode, ...ErrorCode[]];

/** What went wrong with one field of a request: a JSON path (`network.patterns.0`) and a sentence. */
export const fieldIssue = z.object({ path: z.string(), message: z.string() });
export type FieldIssue = z.infer<typeof fieldIssue>;

/** The body of every response that is not 2xx. */
export const errorBody = z.object({
  error: z.object({
    code: z.enum(errorCodes),
    message: z.string(),
    details: z.array(fieldIssue).optional(),
    requestId: z.string(),
  }),
});
export type ErrorBody = z.infer<typeof errorBody>;

/** The one error class of Caisson. The message says what happened, with which value, and what to do about it. */
export class CaissonError extends Error {
  override readonly name = 'CaissonError';
  readonly code: ErrorCode;
  readonly details: readonly FieldIssue[] | undefined;
  /** Set on errors that a server answered with: the name under which its own log knows the request. */
  readonly requestId: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { details?: readonly FieldIssue[]; requestId?: string; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details;
    this.requestId = options.requestId;
  }

  get status(): number {
    return ERROR_STATUS[this.code];
  }
}

/** Turns a failed zod parse into a 400 that names every field. */
export function invalidRequest(what: string, error: z.ZodError): CaissonError {
  const details = error.issues.flatMap(fieldIssues);
  const first = details[0];
  const where = first ? `${first.path ? `${first.path}: ` : ''}${first.message}` : 'it does not have the expected form';
  return new CaissonError('invalid_request', `The ${what} is not valid: ${where}`, { details });
}

/** A field that is not known is named like any other, so that a typo is found where it is. */
function fieldIssues(issue: z.core.$ZodIssue): FieldIssue[] {
  if (issue.code !== 'unrecognized_keys') return [{ path: issue.path.join('.'), message: issue.message }];
  return issue.keys.map((key) => ({ path: [...issue.path, key].join('.'), message: 'is not a field of this request' }));
}
