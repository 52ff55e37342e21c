import { Duplex } from 'node:stream';
import { connect } from 'node:tls';

/** A real ClientHello, as OpenSSL in Node makes it. */
export async function realHello(servername: string | undefined): Promise<Buffer> {
  return new Promise((resolve) => {
    const wire: Duplex = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer) => {
        resolve(chunk);
        wire.destroy();
      },
    });
    const socket = connect({
      socket: wire,
      ...(servername === undefined ? {} : { servername }),
      rejectUnauthorized: false,
    });
    socket.on('error', () => socket.destroy());
  });
}

const u16 = (n: number) => Buffer.from([n >> 8, n & 255]);
const sized = (bytes: Buffer) => Buffer.concat([u16(bytes.length), bytes]);

export const extension = (type: number, data: Buffer) => Buffer.concat([u16(type), sized(data)]);
export const serverName = (name: string, type = 0) =>
  Buffer.concat([Buffer.from([type]), sized(Buffer.from(name, 'latin1'))]);
export const sni = (...names: Buffer[]) => extension(0, sized(Buffer.concat(names)));

/** A ClientHello handshake message made by hand, without record headers. */
export function handshake(extensions: Buffer | undefined, after = Buffer.alloc(0)): Buffer {
  const body = Buffer.concat([
    Buffer.from([3, 3]),
    Buffer.alloc(32, 7),
    Buffer.from([0]),
    sized(Buffer.from([0x13, 0x01])),
    Buffer.from([1, 0]),
    ...(extensions ? [sized(extensions)] : []),
    after,
  ]);
  return Buffer.concat([Buffer.from([1, 0]), u16(body.length), body]);
}

/** Cuts a handshake message into records of `size` bytes. */
export function records(message: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i < message.length; i += size) {
    parts.push(Buffer.concat([Buffer.from([22, 3, 1]), sized(message.subarray(i, i + size))]));
  }
  return Buffer.concat(parts);
}
