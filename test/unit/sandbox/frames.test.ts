import * as fc from 'fast-check';
import { buffer } from 'node:stream/consumers';
import { PassThrough, Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { splitOutput } from '../../../server/sandbox/gvisor/frames.ts';

interface Frame {
  readonly stream: 1 | 2;
  readonly data: Uint8Array;
}

function encode(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.flatMap(({ stream, data }) => {
      const header = Buffer.alloc(8);
      header[0] = stream;
      header.writeUInt32BE(data.length, 4);
      return [header, Buffer.from(data)];
    }),
  );
}

/** Cuts bytes at arbitrary places, as a socket does. */
function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1;
    pieces.push(bytes.subarray(at, at + size));
    at += size;
  }
  return pieces;
}

describe('multiplexed output', () => {
  it('comes apart into the bytes of each stream, however it was cut', async () => {
    const frame = fc.record({
      stream: fc.constantFrom(1 as const, 2 as const),
      data: fc.uint8Array({ maxLength: 40 }),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 });
    await fc.assert(
      fc.asyncProperty(fc.array(frame), sizes, async (frames, cuts) => {
        const { stdout, stderr } = splitOutput(Readable.from(cut(encode(frames), cuts)), false);
        const [out, err] = await Promise.all([buffer(stdout), buffer(stderr)]);
        const of = (stream: number) =>
          Buffer.concat(frames.filter((one) => one.stream === stream).map(({ data }) => data));
        expect(out).toEqual(of(1));
        expect(err).toEqual(of(2));
      }),
    );
  });

  it('of a terminal is stdout as it is', async () => {
    const bytes = encode([{ stream: 2, data: Buffer.from('looks like a frame') }]);
    const { stdout, stderr } = splitOutput(Readable.from([bytes]), true);
    expect(await buffer(stdout)).toEqual(bytes);
    expect((await buffer(stderr)).length).toBe(0);
  });

  it('that breaks off in a frame is delivered as far as it came', async () => {
    const source = new PassThrough();
    const { stdout, stderr, ended } = splitOutput(source, false);
    stderr.resume();
    source.write(
      encode([
        { stream: 1, data: Buffer.from('whole') },
        { stream: 1, data: Buffer.from('cut off') },
      ]).subarray(0, -4),
    );
    setImmediate(() => source.destroy(new Error('connection reset')));
    expect((await buffer(stdout)).toString()).toBe('wholecut');
    await ended;
  });

  it('waits for its reader instead of gathering in memory', async () => {
    let given = 0;
    const source = new Readable({
      read() {
        given += 1;
        this.push(given > 1_000 ? null : encode([{ stream: 1, data: Buffer.alloc(16 * 1024) }]));
      },
    });
    const { stdout, stderr } = splitOutput(source, false);
    stderr.resume();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(given).toBeLessThan(50);
    expect((await buffer(stdout)).length).toBe(1_000 * 16 * 1024);
  });

  it('is not held up by a stream that nobody reads any more', async () => {
    const { stdout, stderr } = splitOutput(
      Readable.from([
        encode([
          { stream: 1, data: Buffer.alloc(1_000_000) },
          { stream: 2, data: Buffer.from('err') },
        ]),
      ]),
      false,
    );
    stdout.destroy();
    expect((await buffer(stderr)).toString()).toBe('err');
  });
});
