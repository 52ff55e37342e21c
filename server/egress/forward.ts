import { Agent as HttpAgent, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { connect as connectTls } from 'node:tls';
import httpProxy from 'http-proxy';
import { messageOf } from '../base/lifecycle.ts';
import { forwardedHeaders, returnedHeaders } from './headers.ts';

export interface ForwardTarget {
  readonly secure: boolean;
  /** For TLS and for the Host header; nothing is resolved again. */
  readonly hostname: string;
  /** `host` or `host:port`. */
  readonly hostHeader: string;
  /** Path and query, exactly as they are sent. */
  readonly path: string;
}

/**
 * Sends one request over one socket that was dialed for it, and streams the answer back as it comes (server-sent
 * events pass unbuffered). The socket is used once: what is sent to an upstream is one decided request, never more.
 * Resolves when the exchange is over and the socket closed, with what went wrong if anything did.
 */
export async function forward(
  request: IncomingMessage,
  response: ServerResponse,
  upstream: Socket,
  target: ForwardTarget,
  idleMs: number,
): Promise<{ readonly error: string | undefined; readonly answered: boolean }> {
  let problem: string | undefined;
  const gone = new Promise<void>((resolve) => upstream.once('close', () => resolve()));
  const fail = (why: string): void => {
    problem ??= why;
    upstream.destroy();
  };
  upstream.on('error', (error) => fail(error.message));
  const wire = target.secure ? secure(upstream, target.hostname) : upstream;
  // TLS reads and writes below the plain socket's own timer, so the timer is on what is spoken over.
  wire.setTimeout(idleMs, () => fail(`idle for more than ${idleMs / 1000} s`));
  const onClientGone = () => {
    if (!response.writableFinished) fail('the sandbox closed it');
  };
  response.once('close', onClientGone);
  try {
    await exchange(request, response, wire, target);
  } catch (error) {
    fail(messageOf(error));
  } finally {
    response.off('close', onClientGone);
    // `Connection: close` was sent; whatever the upstream still says belongs to no request.
    upstream.destroy();
  }
  await gone;
  return { error: problem, answered: response.headersSent };
}

function exchange(
  request: IncomingMessage,
  response: ServerResponse,
  wire: Socket,
  target: ForwardTarget,
): Promise<void> {
  // The request's own fields are replaced before http-proxy copies them, and its own rewriting is switched off:
  // it would fold slashes in the path and look at the proxied URI again.
  request.headers = forwardedHeaders(request, target.hostHeader);
  request.url = target.path;
  const proxy = httpProxy.createProxyServer({});
  return new Promise<void>((resolve, reject) => {
    wire.once('close', () => reject(new Error('the upstream closed the connection')));
    proxy.on('proxyReq', (outgoing) => {
      outgoing.path = target.path;
      // The path that goes out is the one that was decided on, or nothing goes out.
      if (outgoing.headersSent) outgoing.destroy(new Error('the request was sent before it was complete'));
    });
    proxy.on('proxyRes', (incoming) => {
      sendBack(incoming, response).then(resolve, reject);
    });
    const options = {
      target: { protocol: target.secure ? 'https:' : 'http:', host: target.hostname, port: undefined },
      agent: singleSocketAgent(wire, target.secure),
      toProxy: true,
      prependPath: false,
      selfHandleResponse: true,
    };
    proxy.web(request, response, options as unknown as httpProxy.ServerOptions, reject);
  });
}

/** An agent that has exactly the one socket which was dialed for the request. It resolves and dials nothing. */
function singleSocketAgent(wire: Socket, secure: boolean): HttpAgent {
  const agent = secure ? new HttpsAgent({ keepAlive: false }) : new HttpAgent({ keepAlive: false });
  return Object.assign(agent, { createConnection: () => wire });
}

/** TLS over the dialed socket; the certificate must be valid for the host name (or the address, where that is the host). */
function secure(upstream: Socket, hostname: string): Socket {
  const name = isIP(hostname) === 0 ? { servername: hostname } : { host: hostname };
  return connectTls({ socket: upstream, ALPNProtocols: ['http/1.1'], ...name });
}

async function sendBack(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(incoming.statusCode ?? 502, incoming.statusMessage, returnedHeaders(incoming));
  // A stream of events may say nothing for a while; its reader is to know at once that it is open.
  response.flushHeaders();
  await pipeline(incoming, response);
}
