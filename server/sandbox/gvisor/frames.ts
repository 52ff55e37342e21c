import { PassThrough, type Readable } from 'node:stream';

const HEADER_BYTES = 8;

export interface SplitOutput {
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  /** Resolves when the source has ended and everything was handed over. */
  readonly ended: Promise<void>;
}

/**
 * Splits the engine's multiplexed output: frames of an 8-byte header (stream number, three zero bytes, length, big
 * endian) and that many bytes (Engine API, «attach»). With a terminal there are no frames; all of it is stdout.
 *
 * Reading stops while either output has a full buffer, so a flood inside is held back by the pipe, not by our memory.
 * A frame that is cut off by the sandbox's death is delivered as far as it came.
 */
export function splitOutput(source: Readable, tty: boolean): SplitOutput {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const ended = pump(source, tty ? () => [{ target: stdout, bytes: undefined }] : framesTo(stdout, stderr))
    .catch(() => undefined) // A broken connection is an end; why the process ended is told by its exit.
    .finally(() => {
      stdout.end();
      stderr.end();
    });
  return { stdout, stderr, ended };
}

interface Piece {
  readonly target: PassThrough;
  /** Undefined: the whole chunk. */
  readonly bytes: Buffer | undefined;
}

async function pump(source: Readable, split: (chunk: Buffer) => Piece[]): Promise<void> {
  for await (const chunk of source as AsyncIterable<Buffer>) {
    for (const { target, bytes = chunk } of split(chunk)) {
      // A reader that has gone away must not hold up the other stream.
      if (target.destroyed || target.writableEnded) continue;
      if (!target.write(bytes)) await drained(target);
    }
  }
}

function drained(target: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      target.off('drain', done).off('close', done);
      resolve();
    };
    target.on('drain', done).on('close', done);
  });
}

/** Keeps what is left of a header or a frame between chunks; a frame's bytes go on at once, they are never gathered. */
function framesTo(stdout: PassThrough, stderr: PassThrough): (chunk: Buffer) => Piece[] {
  let header = Buffer.alloc(0);
  let remaining = 0;
  let target = stdout;
  return (chunk) => {
    const pieces: Piece[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (remaining === 0) {
        const needed = HEADER_BYTES - header.length;
        header = Buffer.concat([header, chunk.subarray(at, at + needed)]);
        at += needed;
        if (header.length < HEADER_BYTES) break;
        target = header[0] === 2 ? stderr : stdout;
        remaining = header.readUInt32BE(4);
        header = Buffer.alloc(0);
        continue;
      }
      const bytes = chunk.subarray(at, at + remaining);
      pieces.push({ target, bytes });
      at += bytes.length;
      remaining -= bytes.length;
    }
    return pieces;
  };
}
