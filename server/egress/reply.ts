import type { ServerResponse } from 'node:http';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';

/** What a refused request is answered with, so that an agent can understand it and ask for what it needs. */
export interface Refusal {
  readonly status: 400 | 403 | 404 | 408 | 411 | 431 | 501 | 502 | 503;
  readonly code: 'egress_denied' | 'egress_failed' | 'egress_unavailable' | 'bad_request' | 'not_found';
  readonly message: string;
  readonly rule: string;
  readonly host: string;
  readonly port: number;
  readonly howToAsk?: string;
}

function refusalBody({ code, message, rule, host, port, howToAsk }: Refusal): string {
  return `${JSON.stringify({ error: { code, message, rule, host, port, howToAsk } })}\n`;
}

/** Answers on a request that came through the HTTP server, and closes the connection after it. */
export function refuseResponse(response: ServerResponse, refusal: Refusal): void {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const body = refusalBody(refusal);
  // Requests that were pipelined behind this one are not even begun (pipelining.ts asks).
  response.shouldKeepAlive = false;
  response.writeHead(refusal.status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
}

/** How long a refused client has to read its answer before the socket goes. */
const LINGER_MS = 2_000;

/** Answers on a bare socket (CONNECT, or bytes that are not HTTP), and closes it. */
export function refuseSocket(socket: Socket, refusal: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = refusalBody(refusal);
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ];
  endSocket(socket, `${head.join('\r\n')}\r\n\r\n${body}`);
}

/** Sends the last bytes and closes, also when the other side neither reads nor closes. */
export function endSocket(socket: Socket, last: string | Buffer): void {
  socket.setTimeout(0);
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once('close', () => clearTimeout(timer));
  // What the client still sends is read and dropped, so that its own writing does not fail before it reads the answer.
  socket.resume();
  socket.end(last, () => socket.destroySoon());
}
