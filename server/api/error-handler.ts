import type { NextFunction, Request, Response } from 'express';
import { CaissonError, type ErrorBody } from '../../shared/protocol/errors.ts';
import { messageOf } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';

/** Every error leaves here in one form. What is not ours becomes a 500 with a request id and no detail. */
export function errorHandler(logger: Logger) {
  // Express knows an error handler by its four parameters.
  return (error: unknown, request: Request, response: Response, _next: NextFunction): void => {
    const known = toCaissonError(error);
    const requestId = String(response.locals['requestId'] ?? '');
    if (!known)
      logger.error(
        {
          requestId,
          method: request.method,
          path: request.path,
          error: messageOf(error),
          stack: error instanceof Error ? error.stack : undefined,
        },
        'unexpected error',
      );
    if (response.headersSent) {
      response.destroy();
      return;
    }
    const shown =
      known ??
      new CaissonError(
        'internal',
        `Something went wrong on the server. Its log has the details under request ${requestId}.`,
      );
    const body: ErrorBody = {
      error: {
        code: shown.code,
        message: shown.message,
        ...(shown.details ? { details: [...shown.details] } : {}),
        requestId,
      },
    };
    if (shown.code === 'unauthenticated') response.setHeader('WWW-Authenticate', 'Bearer realm="caisson"');
    if (shown.code === 'unavailable') response.setHeader('Retry-After', '5');
    response.status(shown.status).json(body);
  };
}

/** Errors of Express's own router and body parser (https://github.com/expressjs/body-parser#errors), told in our words. */
function toCaissonError(error: unknown): CaissonError | undefined {
  if (error instanceof CaissonError) return error;
  if (error instanceof URIError)
    return new CaissonError(
      'invalid_request',
      'The path has a percent sign that encodes nothing (RFC 3986 section 2.1).',
    );
  if (!(error instanceof Error) || !('type' in error)) return undefined;
  switch (error.type) {
    case 'entity.parse.failed':
      return new CaissonError('invalid_request', 'The request body is not valid JSON.');
    case 'entity.too.large':
      return new CaissonError(
        'payload_too_large',
        'The JSON body is larger than 1 MiB, the limit of the API. Send large content as an upload.',
      );
    case 'encoding.unsupported':
    case 'charset.unsupported':
      return new CaissonError(
        'unsupported_media_type',
        'The request body’s encoding is not supported; send UTF-8, uncompressed.',
      );
    case 'request.aborted':
    case 'request.size.invalid':
      return new CaissonError('invalid_request', 'The request body ended before it was complete.');
    default:
      return undefined;
  }
}
