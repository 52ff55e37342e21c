import { CaissonError } from '../protocol/errors.ts';
import { upload, type Upload } from '../protocol/rest.ts';
import type { Http } from './http.ts';

export interface UploadOptions {
  /** Called with the bytes handed to the network so far. */
  readonly onProgress?: (sentBytes: number) => void;
  readonly signal?: AbortSignal;
  /** Milliseconds without progress after which the upload is given up. Default 60 s. */
  readonly stallMs?: number;
}

/** Bytes at once, or as they come. */
export type UploadBody = Uint8Array | AsyncIterable<Uint8Array>;

const CHUNK = 256 * 1024;
const MEDIA_TYPE = 'application/x-git-bundle';

async function* chunks(body: UploadBody): AsyncGenerator<Uint8Array> {
  if (!(body instanceof Uint8Array)) yield* body;
  else for (let at = 0; at < body.length; at += CHUNK) yield body.subarray(at, at + CHUNK);
}

/**
 * Streams a git bundle to the server. A large upload may take any time as long as it moves, so the deadline is on
 * standing still instead of on the whole.
 */
export async function uploadBundle(http: Http, body: UploadBody, options: UploadOptions = {}): Promise<Upload> {
  const stallMs = options.stallMs ?? 60_000;
  const stalled = new AbortController();
  const reason = new CaissonError('unavailable', `The upload did not move for ${stallMs / 1000} s and was given up.`);
  let timer = setTimeout(() => stalled.abort(reason), stallMs);
  const iterator = chunks(body);
  let sent = 0;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const next = await iterator.next();
      if (next.done) return controller.close();
      clearTimeout(timer);
      timer = setTimeout(() => stalled.abort(reason), stallMs);
      controller.enqueue(next.value);
      sent += next.value.byteLength;
      options.onProgress?.(sent);
    },
    async cancel() {
      await iterator.return(undefined);
    },
  });
  try {
    return await http.json(
      {
        method: 'POST',
        path: '/uploads',
        raw: { body: stream, type: MEDIA_TYPE },
        signal: options.signal ? AbortSignal.any([options.signal, stalled.signal]) : stalled.signal,
        timeoutMs: Infinity,
      },
      upload,
    );
  } finally {
    clearTimeout(timer);
  }
}
