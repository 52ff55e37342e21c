import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBlob, writeBlob } from '../../../server/vault/blob.ts';

const FRAME = 65_536;
const SEALED = FRAME + 16;
const HEADER = 21;
const key = randomBytes(32);
const unlimited = { maxBytes: Number.MAX_SAFE_INTEGER };

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caisson-blob-'));
  path = join(folder, 'blob');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function* chunked(content: Buffer, size: number) {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

describe('an encrypted file', () => {
  test.each([0, 1, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME, 3 * FRAME + 5])('holds %i bytes', async (bytes) => {
    const content = randomBytes(bytes);
    const summary = await writeBlob(path, key, chunked(content, 10_007), unlimited);
    expect(summary).toEqual({ bytes, sha256: createHash('sha256').update(content).digest('hex') });
    expect((await buffer(readBlob(path, key))).equals(content)).toBe(true);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['blob']);
  });

  test('holds nothing of the content in the clear', async () => {
    await writeBlob(path, key, [Buffer.from('plain marker '.repeat(1000))], unlimited);
    expect((await readFile(path)).includes('marker')).toBe(false);
  });

  const frame = (file: Buffer, index: number) => file.subarray(HEADER + index * SEALED, HEADER + (index + 1) * SEALED);
  const header = (file: Buffer) => file.subarray(0, HEADER);
  test.each<[string, (file: Buffer) => Buffer]>([
    ['cut at a frame', (file) => file.subarray(0, HEADER + 2 * SEALED)],
    ['cut inside a frame', (file) => file.subarray(0, HEADER + 2 * SEALED - 7)],
    ['cut to its header', header],
    ['cut inside its header', (file) => file.subarray(0, 9)],
    ['emptied', () => Buffer.alloc(0)],
    [
      'with two frames exchanged',
      (file) => Buffer.concat([header(file), frame(file, 1), frame(file, 0), frame(file, 2)]),
    ],
    ['without its first frame', (file) => Buffer.concat([header(file), frame(file, 1), frame(file, 2)])],
    ['with a frame repeated', (file) => Buffer.concat([file, frame(file, 2)])],
    ['made longer', (file) => Buffer.concat([file, Buffer.from('x')])],
    ['with another salt', (file) => Buffer.concat([file.subarray(0, 5), randomBytes(16), file.subarray(HEADER)])],
    ['with one bit changed', (file) => Buffer.from(file.map((byte, at) => (at === 70_000 ? byte ^ 1 : byte)))],
  ])('that was %s is not read as whole', async (_name, damage) => {
    await writeBlob(path, key, [randomBytes(3 * FRAME)], unlimited);
    await writeFile(path, damage(await readFile(path)));
    await expect(buffer(readBlob(path, key))).rejects.toMatchObject({ code: 'internal' });
  });

  test('does not open with another key', async () => {
    await writeBlob(path, key, [Buffer.from('x')], unlimited);
    await expect(buffer(readBlob(path, randomBytes(32)))).rejects.toThrow(/another key/);
  });
});

describe('a file that could not be written', () => {
  test('because it is too large leaves nothing behind and ends the source', async () => {
    const source = new PassThrough();
    source.write(Buffer.alloc(50_000));
    source.write(Buffer.alloc(50_001));
    await expect(writeBlob(path, key, source, { maxBytes: 100_000 })).rejects.toMatchObject({
      code: 'payload_too_large',
    });
    expect(source.destroyed).toBe(true);
    expect(await readdir(folder)).toEqual([]);
  });

  test('may be exactly as large as the limit', async () => {
    expect(await writeBlob(path, key, [Buffer.alloc(100)], { maxBytes: 100 })).toMatchObject({ bytes: 100 });
  });

  test('because it was aborted while the source was silent leaves nothing behind', async () => {
    const source = new PassThrough();
    source.write(Buffer.alloc(10));
    const abort = new AbortController();
    const writing = writeBlob(path, key, source, { maxBytes: 100, signal: abort.signal });
    setTimeout(() => abort.abort(new Error('the client went away')), 10);
    await expect(writing).rejects.toThrow('the client went away');
    expect(await readdir(folder)).toEqual([]);
  });

  test('because the source failed leaves the earlier file as it was', async () => {
    await writeBlob(path, key, [Buffer.from('first')], unlimited);
    async function* failing() {
      yield Buffer.from('second');
      throw new Error('connection reset');
    }
    await expect(writeBlob(path, key, failing(), unlimited)).rejects.toThrow('connection reset');
    expect((await buffer(readBlob(path, key))).toString()).toBe('first');
    expect(await readdir(folder)).toEqual(['blob']);
  });
});
