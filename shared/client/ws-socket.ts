import { WebSocket } from 'ws';
import type { OpenSocket } from './socket.ts';

/** One event is at most 1 MB of text; anything near this is not our server. */
const MAX_MESSAGE_BYTES = 32 * 1024 * 1024;

/** The WebSocket port on `ws`: headers in the handshake, and pings that can be seen, as browsers offer neither. */
export const openWsSocket: OpenSocket = (request, handlers) => {
  const socket = new WebSocket(request.url, request.protocol, {
    headers: request.headers,
    handshakeTimeout: request.handshakeTimeoutMs,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
  });
  let httpStatus: number | undefined;
  let failure: unknown;
  socket.on('open', () => handlers.opened());
  socket.on('ping', () => handlers.alive());
  socket.on('message', (data, isBinary) => {
    // Our protocol is text only; the default `binaryType` delivers each message as one Buffer.
    if (!isBinary) handlers.message((data as Buffer).toString('utf8'));
  });
  socket.on('unexpected-response', (_upgrade, response) => {
    httpStatus = response.statusCode;
    // With a listener here, ending the handshake is ours to do; this leads to `error` and `close`.
    socket.terminate();
  });
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', (code, reason) => {
    handlers.closed({
      code,
      reason: reason.toString('utf8'),
      ...(httpStatus !== undefined && { httpStatus }),
      ...(failure !== undefined && { error: failure }),
    });
  });
  return {
    send: (text) => socket.send(text),
    close: () => socket.close(1000),
    terminate: () => socket.terminate(),
  };
};
