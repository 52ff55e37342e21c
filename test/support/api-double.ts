import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer, type WebSocket } from 'ws';
import { clientMessage, type ClientMessage, type ServerMessage } from '../../shared/protocol/stream.ts';

export interface Recorded {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

export type Reply = (request: Recorded, response: ServerResponse) => void;

/** One WebSocket connection, from the server's side. */
export interface Peer {
  readonly socket: WebSocket;
  readonly received: ClientMessage[];
  send(message: ServerMessage): void;
}

export interface ApiDouble extends AsyncDisposable {
  readonly baseUrl: string;
  readonly requests: Recorded[];
  readonly peers: Peer[];
  /** How HTTP requests are answered. */
  reply: Reply;
  /** Called with each message of a client. */
  onMessage: (peer: Peer, message: ClientMessage) => void;
  /** When set, WebSocket handshakes are answered with this HTTP status. */
  refuseStreams: number | undefined;
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** A real HTTP and WebSocket server on loopback that says what a test tells it to. */
export async function startApiDouble(): Promise<ApiDouble> {
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => 'caisson.v1' });
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const recorded = {
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks),
      };
      double.requests.push(recorded);
      double.reply(recorded, response);
    });
  });
  server.on('upgrade', (request, socket, head) => {
    if (double.refuseStreams !== undefined) {
      socket.end(`HTTP/1.1 ${double.refuseStreams} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    double.requests.push({
      method: 'UPGRADE',
      url: request.url ?? '',
      headers: request.headers,
      body: Buffer.alloc(0),
    });
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const peer: Peer = {
        socket: webSocket,
        received: [],
        send: (message) => webSocket.send(JSON.stringify(message)),
      };
      double.peers.push(peer);
      webSocket.on('message', (data: Buffer) => {
        const message = clientMessage.parse(JSON.parse(data.toString('utf8')));
        peer.received.push(message);
        double.onMessage(peer, message);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const double: ApiDouble = {
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: [],
    peers: [],
    reply: (_request, response) =>
      sendJson(response, 404, { error: { code: 'not_found', message: 'There is nothing here', requestId: 'req_1' } }),
    onMessage: () => undefined,
    refuseStreams: undefined,
    async [Symbol.asyncDispose]() {
      for (const client of sockets.clients) client.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return double;
}
