import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { ERROR_STATUS, type ErrorBody, type ErrorCode } from '../../shared/protocol/errors.ts';
import { newId } from '../base/ids.ts';

/** Answers a WebSocket handshake with an ordinary error response (RFC 6455 section 4.2.2) and closes the connection. */
export function refuseUpgrade(socket: Duplex, code: ErrorCode, message: string): void {
  const status = ERROR_STATUS[code];
  const body: ErrorBody = { error: { code, message, requestId: newId('req') } };
  const text = JSON.stringify(body);
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(text)}`,
      'Connection: close',
      '',
      text,
    ].join('\r\n'),
    // Half closed is not enough: the other side might never close its half.
    () => socket.destroy(),
  );
}
