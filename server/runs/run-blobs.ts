import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { readBlob, writeBlob } from '../vault/blob.ts';
import type { Vault } from '../vault/vault.ts';
import type { Collection, Store } from '../store/port.ts';

/** The patch and the bundle of each run: files encrypted with a key of their own, which dies with the run. */
export type BlobName = 'patch' | 'bundle';

interface BlobKeyDoc {
  readonly _id: string;
  readonly wrapped: string;
}

/** Larger results are refused: nobody reviews them, and an agent must not fill the server's disk. */
const MAX_BYTES: Record<BlobName, number> = { patch: 64 * 1024 * 1024, bundle: 1024 * 1024 * 1024 };

export class RunBlobs {
  readonly #folder: string;
  readonly #vault: Vault;
  readonly #keys: Collection<BlobKeyDoc>;

  constructor(options: { folder: string; vault: Vault; store: Store }) {
    this.#folder = options.folder;
    this.#vault = options.vault;
    this.#keys = options.store.collection('blob_keys');
  }

  async write(
    runId: string,
    name: BlobName,
    content: Readable,
    signal: AbortSignal,
  ): Promise<{ bytes: number; sha256: string }> {
    await mkdir(join(this.#folder, runId), { recursive: true, mode: 0o700 });
    const { key, wrapped } = this.#vault.createDataKey(`${runId}/${name}`);
    const written = await writeBlob(this.#path(runId, name), key, content, { maxBytes: MAX_BYTES[name], signal });
    await this.#keys.deleteOne({ _id: `${runId}/${name}` });
    await this.#keys.insertOne({ _id: `${runId}/${name}`, wrapped });
    return written;
  }

  /** @returns undefined when the run has no such file */
  async read(runId: string, name: BlobName): Promise<Readable | undefined> {
    const doc = await this.#keys.findOne({ _id: `${runId}/${name}` });
    return doc ? readBlob(this.#path(runId, name), this.#vault.unwrap(doc.wrapped, doc._id)) : undefined;
  }

  async delete(runId: string): Promise<void> {
    for (const name of Object.keys(MAX_BYTES)) await this.#keys.deleteOne({ _id: `${runId}/${name}` });
    await rm(join(this.#folder, runId), { recursive: true, force: true });
  }

  #path(runId: string, name: BlobName): string {
    return join(this.#folder, runId, name);
  }
}
