import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { rateLimit, type RateLimitRequestHandler } from 'express-rate-limit';
import helmet from 'helmet';
import { CaissonError, invalidRequest } from '../../shared/protocol/errors.ts';
import { API_PREFIX } from '../../shared/protocol/version.ts';
import type { ApiKeys } from '../auth/api-keys.ts';
import { requireScope, type Identity } from '../auth/identity.ts';
import { newId } from '../base/ids.ts';
import type { Logger } from '../base/logger.ts';
import { authenticate } from './authenticate.ts';
import { errorHandler } from './error-handler.ts';
import type { Idempotency } from './idempotency.ts';
import { openApiDocument } from './openapi.ts';
import { operationRoutes, type OperationOptions } from './operation.ts';
import type { AnyRoute } from './route.ts';

export interface ApiOptions {
  readonly routes: readonly AnyRoute[];
  readonly apiKeys: ApiKeys;
  readonly idempotency: Idempotency;
  readonly rateLimits: { readonly windowMs: number; readonly requestsPerIp: number; readonly runsPerKey: number };
  readonly behindProxy: boolean;
  readonly operation: OperationOptions;
  readonly version: string;
  readonly logger: Logger;
}

const JSON_LIMIT = '1mb';

/** The HTTP API: what every request passes through, then the routes, then one form for every error. */
export function createApi(options: ApiOptions): Express {
  const app = express();
  app.disable('x-powered-by');
  app.set('trust proxy', options.behindProxy ? 1 : false);
  app.set('query parser', 'simple');
  app.use(helmet({ contentSecurityPolicy: { directives: { defaultSrc: ["'none'"] } } }));
  app.use(identifyRequest);
  app.use(operationRoutes(options.operation));
  app.use(API_PREFIX, perIp(options), noStore);

  const api = express.Router({ caseSensitive: true, strict: true });
  const runStarts = perKey(options);
  for (const route of options.routes) api[route.method](route.path, ...handlers(route, options, runStarts));
  const document = openApiDocument(options.routes, options.version);
  api.get('/openapi.json', (_request, response) => {
    response.json(document);
  });
  app.use(API_PREFIX, api);
  app.use((request: Request) => {
    throw new CaissonError(
      'not_found',
      `There is no ${request.method} ${request.path}. ${API_PREFIX}/openapi.json lists the routes.`,
    );
  });
  app.use(errorHandler(options.logger));
  return app;
}

const identifyRequest: RequestHandler = (_request, response, next) => {
  response.locals['requestId'] = newId('req');
  response.setHeader('X-Request-Id', String(response.locals['requestId']));
  next();
};

const noStore: RequestHandler = (_request, response, next) => {
  response.setHeader('Cache-Control', 'no-store');
  next();
};

function perIp(options: ApiOptions): RateLimitRequestHandler {
  const { windowMs, requestsPerIp } = options.rateLimits;
  return rateLimit({
    windowMs,
    limit: requestsPerIp,
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    handler: tooMany(`${requestsPerIp} requests`, windowMs),
  });
}

function perKey(options: ApiOptions): RateLimitRequestHandler {
  const { windowMs, runsPerKey } = options.rateLimits;
  return rateLimit({
    windowMs,
    limit: runsPerKey,
    standardHeaders: 'draft-6',
    legacyHeaders: false,
    keyGenerator: (_request, response) => identityOf(response).keyId,
    handler: tooMany(`${runsPerKey} run starts`, windowMs),
  });
}

function tooMany(what: string, windowMs: number): RequestHandler {
  return () => {
    throw new CaissonError(
      'rate_limited',
      `More than ${what} in ${windowMs / 60_000} minutes. RateLimit-Reset says when to try again, in seconds.`,
    );
  };
}

function identityOf(response: Response): Identity {
  return response.locals['identity'] as Identity;
}

function handlers(route: AnyRoute, options: ApiOptions, runStarts: RequestHandler): RequestHandler[] {
  const chain: RequestHandler[] = [];
  if (route.scope !== 'public') chain.push(requireIdentity(route, options.apiKeys));
  if (route.limit === 'runs') chain.push(runStarts);
  if (route.body) chain.push(requireJson, express.json({ limit: JSON_LIMIT, strict: false }));
  chain.push(async (request, response) => {
    await answer(route, options, request, response);
  });
  return chain;
}

function requireIdentity(route: AnyRoute, apiKeys: ApiKeys): RequestHandler {
  return async (request, response, next) => {
    const identity = await authenticate(request, apiKeys);
    if (route.scope !== 'any' && route.scope !== 'public') requireScope(identity, route.scope);
    response.locals['identity'] = identity;
    next();
  };
}

const requireJson: RequestHandler = (request, _response, next) => {
  if (!request.is('json'))
    throw new CaissonError(
      'unsupported_media_type',
      'The request body must be JSON, with `Content-Type: application/json`.',
    );
  next();
};

async function answer(route: AnyRoute, options: ApiOptions, request: Request, response: Response): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished)
      gone.abort(new CaissonError('invalid_request', 'The client closed the connection.'));
  });
  const call = {
    identity: identityOf(response),
    params: parse('path', route.params, request.params),
    query: parse('query', route.query, request.query),
    body: parse('request body', route.body, request.body),
    request,
    response,
    signal: gone.signal,
  };
  const status = route.status ?? (route.response ? 200 : 204);
  const work = async () => ({ status, body: await route.handle(call) });
  const key = route.idempotent ? request.get('idempotency-key') : undefined;
  const result =
    key === undefined
      ? await work()
      : await options.idempotency.once(
          call.identity.keyId,
          key,
          [route.method, route.path, call.params, call.body],
          work,
        );
  if (response.headersSent) return;
  if (!route.response) response.status(result.status).end();
  else response.status(result.status).json(route.response.parse(result.body));
}

function parse(what: string, schema: AnyRoute['body'], value: unknown): unknown {
  if (!schema) return undefined;
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw invalidRequest(what, parsed.error);
  return parsed.data;
}
