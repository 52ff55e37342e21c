import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parentPort } from 'node:worker_threads';

/** The thread of the host that sandboxes download from: a real one is elsewhere, and shares no event loop with the gate. */
const CHUNK = Buffer.alloc(256 * 1024, 'x');
const MEGABYTES = 300;

export function sendBytes(response: ServerResponse): void {
  let left = MEGABYTES * 4;
  response.setHeader('content-length', left * CHUNK.length);
  const send = () => {
    while (left > 0) {
      left--;
      if (response.write(CHUNK)) continue;
      response.once('drain', send);
      return;
    }
    response.end();
  };
  send();
}

if (parentPort) {
  const port = parentPort;
  const server = createServer((_request, response) => sendBytes(response));
  server.listen(0, '127.0.0.1', () => port.postMessage({ port: (server.address() as AddressInfo).port }));
}
