import type { z } from 'zod';
import { CaissonError, errorBody, ERROR_STATUS, type ErrorCode } from '../protocol/errors.ts';
import { API_PREFIX } from '../protocol/version.ts';
import { networkError, networkErrorCode } from './network-error.ts';
import { requestedWaitMs, retryDelayMs, type Failure } from './retry.ts';

/** The part of `globalThis.fetch` that the client uses; a host with its own proxy or certificates brings its own. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface HttpOptions {
  /** `http(s)://host[:port][/path]`, without credentials. */
  readonly baseUrl: string;
  readonly apiKey: string;
  readonly fetch?: Fetch;
  /** Milliseconds until the answer's headers and, for JSON, its body have arrived. Default 30 s. */
  readonly timeoutMs?: number;
  readonly userAgent?: string;
}

export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Below `/v1`, every variable part already encoded (see `path`). */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** A raw body; `body` is not used then. `stream` bodies can be sent only once, so they are never retried. */
  readonly raw?: { readonly body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>; readonly type: string };
  /** Whether repeating it is harmless. Default: for GET. */
  readonly repeatable?: boolean;
  /** Milliseconds for this request; `Infinity` where the caller watches the progress itself. */
  readonly timeoutMs?: number;
}

/** A path with its variable parts encoded: path`/runs/${id}`. */
export function path(parts: TemplateStringsArray, ...values: readonly string[]): string {
  return parts.reduce((joined, part, i) => joined + encodeURIComponent(values[i - 1] ?? '') + part);
}

const DEFAULT_TIMEOUT_MS = 30_000;

/** Checks a server's address once, so that each later message can show it as it is. */
export function parseBaseUrl(baseUrl: string): URL {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new CaissonError(
      'invalid_request',
      `"${baseUrl}" is not a server address; it must look like https://host:7480`,
    );
  if (url.username || url.password)
    throw new CaissonError('invalid_request', 'The server address must not contain a user name or password');
  url.search = '';
  url.hash = '';
  url.pathname = url.pathname.replace(/\/+$/, '');
  return url;
}

/** `fetch` quotes a malformed header in its error; a key must never get that far. */
export function checkApiKey(apiKey: string): string {
  if (/^[\x21-\x7e]{1,512}$/.test(apiKey)) return apiKey;
  throw new CaissonError(
    'unauthenticated',
    apiKey === ''
      ? 'There is no API key. Set CAISSON_API_KEY, or start the server once on this machine.'
      : 'The API key contains characters that no key has. Copy it again, without spaces or line breaks.',
  );
}

const CODE_BY_STATUS = new Map<number, ErrorCode>(
  (Object.entries(ERROR_STATUS) as [ErrorCode, number][]).toReversed().map(([code, status]) => [status, code]),
);

async function responseError(
  request: Request,
  url: string,
  response: Response,
  waitMs?: number,
): Promise<CaissonError> {
  const text = await response.text().catch(() => '');
  const parsed = errorBody.safeParse(parseJson(text));
  const later = waitMs === undefined ? '' : ` Try again in ${Math.ceil(waitMs / 1000)} s.`;
  if (parsed.success) {
    const { code, message, details, requestId } = parsed.data.error;
    return new CaissonError(code, message + later, { ...(details && { details }), requestId });
  }
  if (response.status >= 300 && response.status < 400)
    return new CaissonError(
      'unavailable',
      `${url} redirects to another address. Use the address of the server itself.`,
    );
  return new CaissonError(
    CODE_BY_STATUS.get(response.status) ?? 'unavailable',
    `${request.method} ${url} was answered with ${response.status} by something that is not a Caisson server ` +
      `(a proxy, perhaps). Check the server’s address.${later}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Resolves after `ms`; rejects at once when `signal` aborts. */
function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** The one place where requests are made: address, key, deadline, retries, errors. */
export function createHttp(options: HttpOptions) {
  const base = parseBaseUrl(options.baseUrl);
  const apiKey = checkApiKey(options.apiKey);
  const doFetch: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;

  const address = (path: string, query: Request['query'] = {}): string => {
    const url = new URL(base.href.replace(/\/$/, '') + API_PREFIX + path);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    return url.href;
  };

  async function attempt<T>(request: Request, read: (response: Response) => Promise<T>): Promise<T | Failed> {
    const url = address(request.path, request.query);
    // Messages name the server and the path; a query may hold what a user searched for.
    const shown = address(request.path);
    const deadline = new AbortController();
    const ms = request.timeoutMs ?? timeoutMs;
    const timer = Number.isFinite(ms) ? setTimeout(() => deadline.abort(), ms) : undefined;
    const signal = request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal;
    try {
      const body = request.raw?.body ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
      const response = await doFetch(url, {
        method: request.method,
        headers: {
          authorization: `Bearer ${apiKey}`,
          accept: 'application/json, */*;q=0.5',
          ...(options.userAgent && { 'user-agent': options.userAgent }),
          ...(body !== undefined && { 'content-type': request.raw?.type ?? 'application/json' }),
          ...request.headers,
        },
        ...(body !== undefined && { body }),
        // A request body that is still being produced while the answer arrives needs this (fetch standard, "duplex").
        ...(body instanceof ReadableStream && { duplex: 'half' as const }),
        redirect: 'manual',
        signal,
      });
      if (response.ok) return await read(response);
      const waitMs = requestedWaitMs(response.headers, Date.now());
      const asked = response.status === 429 || response.status === 503 ? waitMs : undefined;
      return new Failed(await responseError(request, shown, response, asked), {
        kind: 'response',
        status: response.status,
        waitMs: asked,
      });
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      if (error instanceof CaissonError) throw error;
      const cause = deadline.signal.aborted ? Object.assign(new Error('timeout'), { code: 'TIMEOUT' }) : error;
      return new Failed(networkError(shown, cause), { kind: 'network', code: networkErrorCode(cause) });
    } finally {
      clearTimeout(timer);
    }
  }

  async function send<T>(request: Request, read: (response: Response) => Promise<T>): Promise<T> {
    const repeatable = request.repeatable ?? request.method === 'GET';
    for (let failures = 1; ; failures++) {
      const result = await attempt(request, read);
      if (!(result instanceof Failed)) return result;
      const delay = repeatable ? retryDelayMs(result.failure, failures, Math.random()) : undefined;
      if (delay === undefined) throw result.error;
      await sleep(delay, request.signal);
    }
  }

  return {
    base,
    apiKey,
    /** Parses the answer with `schema`; fields that this version does not know are left out, not refused. */
    json: <S extends z.ZodType>(request: Request, schema: S): Promise<z.output<S>> =>
      send(request, async (response) => {
        const answer = parseJson(await response.text());
        if (answer === undefined)
          throw new CaissonError(
            'unavailable',
            `${address(request.path)} was answered with something that is not JSON, so it is not a Caisson server ` +
              '(another site, or a proxy). Check the server’s address.',
          );
        const parsed = schema.safeParse(answer);
        if (parsed.success) return parsed.data;
        const issue = parsed.error.issues[0];
        throw new CaissonError(
          'internal',
          `The answer to ${request.method} ${request.path} does not have the expected form ` +
            `(${issue?.path.join('.') || 'body'}: ${issue?.message}). Client and server may be of different versions.`,
        );
      }),
    /** For requests whose answer says nothing beyond that it was done. */
    done: (request: Request): Promise<void> =>
      send(request, async (response) => {
        await response.arrayBuffer();
      }),
    bytes: (request: Request): Promise<Uint8Array> =>
      send(request, async (response) => new Uint8Array(await response.arrayBuffer())),
    /** The body as it comes; the deadline covers the headers only. */
    stream: (request: Request): Promise<ReadableStream<Uint8Array>> =>
      send(request, async (response) => response.body ?? new Response(new Uint8Array()).body!),
  };
}

class Failed {
  readonly error: CaissonError;
  readonly failure: Failure;
  constructor(error: CaissonError, failure: Failure) {
    this.error = error;
    this.failure = failure;
  }
}

export type Http = ReturnType<typeof createHttp>;
