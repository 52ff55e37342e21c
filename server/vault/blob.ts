import { createHash, randomBytes } from 'node:crypto';
import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { CaissonError } from '../../shared/protocol/errors.ts';
import {
  blobHeader,
  FRAME_BYTES,
  frameKey,
  HEADER_BYTES,
  openFrame,
  SALT_BYTES,
  saltOf,
  sealFrame,
  TAG_BYTES,
} from './blob-format.ts';
import { syncFolder, temporaryName } from './durable-file.ts';

export interface BlobSummary {
  /** Of the plain content. */
  readonly bytes: number;
  /** Of the plain content, hex. */
  readonly sha256: string;
}

export interface WriteBlobOptions {
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

/**
 * Encrypts `source` into the file `path`, which appears only when it is whole and durable. Whatever goes wrong, nothing
 * is left behind, and a source that is a stream is destroyed.
 * @throws {CaissonError} `payload_too_large` when the source holds more than `maxBytes`
 */
export async function writeBlob(
  path: string,
  key: Uint8Array,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  options: WriteBlobOptions,
): Promise<BlobSummary> {
  const temporary = temporaryName(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    const summary = await encryptInto(handle, key, source, options);
    await handle.sync();
    await handle.close();
    await rename(temporary, path);
    await syncFolder(dirname(path));
    return summary;
  } catch (error) {
    await handle.close();
    await rm(temporary, { force: true });
    throw error;
  }
}

async function encryptInto(
  handle: FileHandle,
  key: Uint8Array,
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { maxBytes, signal }: WriteBlobOptions,
): Promise<BlobSummary> {
  const salt = randomBytes(SALT_BYTES);
  const frames = frameKey(key, salt);
  const hash = createHash('sha256');
  await handle.writeFile(blobHeader(salt));

  const pending = Buffer.alloc(FRAME_BYTES);
  let filled = 0;
  let index = 0;
  let bytes = 0;
  for await (const chunk of abortable(source, signal)) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      throw new CaissonError('payload_too_large', `The content is larger than the limit of ${maxBytes} bytes.`);
    }
    hash.update(chunk);
    for (let at = 0; at < chunk.length;) {
      // A full frame is written only when more comes: whether it is the last is sealed into it.
      if (filled === FRAME_BYTES) {
        await handle.writeFile(sealFrame(frames, index++, false, pending));
        filled = 0;
      }
      const part = chunk.subarray(at, at + FRAME_BYTES - filled);
      pending.set(part, filled);
      filled += part.length;
      at += part.length;
    }
  }
  await handle.writeFile(sealFrame(frames, index, true, pending.subarray(0, filled)));
  return { bytes, sha256: hash.digest('hex') };
}

/** Ends the iteration when `signal` is aborted, also while the source gives nothing at all. */
function abortable(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  const stream = source instanceof Readable ? source : Readable.from(source);
  signal?.throwIfAborted();
  if (!signal) return stream;
  const onAbort = () => stream.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', onAbort));
  return stream;
}

/**
 * The plain content. Each frame is checked before any of it is given out; a file that was changed or cut destroys the
 * stream with a CaissonError, so a reader must wait for its end before it believes that the content was whole.
 */
export function readBlob(path: string, key: Uint8Array): Readable {
  return Readable.from(decrypt(path, key), { objectMode: false });
}

async function* decrypt(path: string, key: Uint8Array): AsyncGenerator<Buffer> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const header = await readExactly(handle, Math.min(HEADER_BYTES, size), 0, path);
    const frames = frameKey(key, saltOf(header, path));
    const sealedFrame = FRAME_BYTES + TAG_BYTES;
    const count = Math.max(1, Math.ceil((size - HEADER_BYTES) / sealedFrame));
    for (let index = 0; index < count; index++) {
      const at = HEADER_BYTES + index * sealedFrame;
      const frame = await readExactly(handle, Math.min(sealedFrame, size - at), at, path);
      const plaintext = openFrame(frames, index, index === count - 1, frame, path);
      if (plaintext.length > 0) yield plaintext;
    }
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, length: number, position: number, path: string): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  for (let filled = 0; filled < length;) {
    const { bytesRead } = await handle.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) throw new CaissonError('internal', `${path} became shorter while it was read.`);
    filled += bytesRead;
  }
  return buffer;
}
