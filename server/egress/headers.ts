import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/**
 * Hop-by-hop fields (RFC 9110 §7.6.1), and those that are meant for this proxy. `expect` is among them because the
 * gateway has answered it itself; `upgrade` because plain HTTP stays HTTP here.
 */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-authentication-info',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
  'expect',
]);

/** Fields that a `Connection` header must not be able to remove: they decide where a request goes and where it ends. */
const ESSENTIAL: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'content-type',
  'cache-control',
  'authorization',
]);

/**
 * The request's fields as they go on, with `host` set to where the request was decided to go. A chunked body stays
 * chunked, said explicitly: left to itself Node sends the body of a GET without any framing, and what a client put
 * there would be a second request, which nobody decided on.
 */
export function forwardedHeaders(request: IncomingMessage, host: string): IncomingHttpHeaders {
  const { headers } = request;
  const named = connectionOptions(headers.connection);
  const kept = Object.entries(headers).filter(
    ([name]) => !HOP_BY_HOP.has(name) && !(named.has(name) && !ESSENTIAL.has(name)),
  );
  const framing = headers['transfer-encoding'] === undefined ? {} : { 'transfer-encoding': 'chunked' };
  return { ...Object.fromEntries(kept), ...framing, host };
}

/** The response's fields as they go back: name, value, name, value, repetitions and spelling kept. */
export function returnedHeaders(response: IncomingMessage): string[] {
  const named = connectionOptions(response.headers.connection);
  const raw: string[] = [];
  for (let i = 0; i + 1 < response.rawHeaders.length; i += 2) {
    const name = response.rawHeaders[i]!;
    const lower = name.toLowerCase();
    if (!HOP_BY_HOP.has(lower) && !(named.has(lower) && !ESSENTIAL.has(lower)))
      raw.push(name, response.rawHeaders[i + 1]!);
  }
  return raw;
}

function connectionOptions(value: string | undefined): ReadonlySet<string> {
  return new Set((value ?? '').split(',').map((option) => option.trim().toLowerCase()));
}

/** False for the request line of HTTP/0.9, which has no version and which Node's parser takes. */
export function isHttp1(request: IncomingMessage): boolean {
  return request.httpVersion === '1.1' || request.httpVersion === '1.0';
}

/** Why a request's framing is refused, beyond what Node's parser refuses itself (both lengths at once, for one). */
export function framingProblem(
  request: IncomingMessage,
): { readonly status: 400 | 411; readonly problem: string } | undefined {
  // The parser also takes the version-less request line of HTTP/0.9.
  if (!/^1\.[01]$/.test(request.httpVersion))
    return { status: 400, problem: 'only HTTP/1.1 and HTTP/1.0 are forwarded' };
  const encoding = request.headers['transfer-encoding'];
  if (encoding === undefined) return undefined;
  if (request.headers['content-length'] !== undefined) {
    return { status: 400, problem: 'a request cannot have both Content-Length and Transfer-Encoding (RFC 9112 §6.1)' };
  }
  if (encoding.trim().toLowerCase() !== 'chunked' || request.httpVersion === '1.0') {
    return { status: 400, problem: 'the only Transfer-Encoding that is forwarded is «chunked», in HTTP/1.1' };
  }
  // http-proxy 1.18 replaces the framing of these two by «Content-Length: 0» and sends the body all the same, which
  // the upstream would read as another request.
  if (request.method === 'DELETE' || request.method === 'OPTIONS') {
    return { status: 411, problem: `a ${request.method} with a body needs a Content-Length` };
  }
  return undefined;
}
