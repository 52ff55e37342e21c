import { join } from 'node:path';
import { mkdir, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Upload } from '../../shared/protocol/rest.ts';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { Logger } from '../base/logger.ts';
import { messageOf } from '../base/lifecycle.ts';
import type { Collection, Store } from '../store/port.ts';
import { readBlob, writeBlob } from '../vault/blob.ts';
import type { Vault } from '../vault/vault.ts';
import { checkBundleHeader } from './bundle-header.ts';

/** Git bundles that were sent in for runs: streamed to an encrypted file, kept for a day, then destroyed with their key. */
interface UploadDoc {
  readonly _id: string;
  readonly organizationId: string;
  readonly wrappedKey: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly createdAt: string;
  readonly expiresAt: string;
}

export interface UploadLimits {
  readonly maxBytes: number;
  readonly keepMs: number;
}

export class Uploads {
  readonly #docs: Collection<UploadDoc>;
  readonly #vault: Vault;
  readonly #folder: string;
  readonly #limits: UploadLimits;
  readonly #clock: Clock;
  readonly #logger: Logger;

  private constructor(
    docs: Collection<UploadDoc>,
    vault: Vault,
    folder: string,
    limits: UploadLimits,
    clock: Clock,
    logger: Logger,
  ) {
    this.#docs = docs;
    this.#vault = vault;
    this.#folder = folder;
    this.#limits = limits;
    this.#clock = clock;
    this.#logger = logger;
  }

  static async open(options: {
    store: Store;
    vault: Vault;
    folder: string;
    limits: UploadLimits;
    clock: Clock;
    logger: Logger;
  }): Promise<Uploads> {
    await mkdir(options.folder, { recursive: true, mode: 0o700 });
    const docs = options.store.collection<UploadDoc>('uploads');
    await docs.createIndex({ expiresAt: 1 });
    return new Uploads(docs, options.vault, options.folder, options.limits, options.clock, options.logger);
  }

  /**
   * Takes a bundle in as it streams; memory stays flat whatever its size.
   * @throws {CaissonError} `payload_too_large`, or `invalid_request` when it is not a git bundle; nothing is kept then
   */
  async receive(
    organizationId: string,
    body: Readable,
    declaredBytes: number | undefined,
    signal: AbortSignal,
  ): Promise<Upload> {
    if (declaredBytes !== undefined && declaredBytes > this.#limits.maxBytes) throw tooLarge(this.#limits.maxBytes);
    const now = this.#clock.now();
    const id = newId('upl', now.getTime());
    const { key, wrapped } = this.#vault.createDataKey(id);
    const written = await writeBlob(this.#path(id), key, Readable.from(checkBundleHeader(body)), {
      maxBytes: this.#limits.maxBytes,
      signal,
    });
    const doc: UploadDoc = {
      _id: id,
      organizationId,
      wrappedKey: wrapped,
      ...written,
      createdAt: now.toISOString(),
      expiresAt: new Date(now.getTime() + this.#limits.keepMs).toISOString(),
    };
    try {
      await this.#docs.insertOne(doc);
    } catch (error) {
      await rm(this.#path(id), { force: true });
      throw error;
    }
    return { id, ...written, createdAt: doc.createdAt, expiresAt: doc.expiresAt };
  }

  /** @throws {CaissonError} `not_found` for an upload that never was, is another organization's, or has expired */
  async describe(organizationId: string, uploadId: string): Promise<Upload> {
    const { _id, bytes, sha256, createdAt, expiresAt } = await this.#find(organizationId, uploadId);
    return { id: _id, bytes, sha256, createdAt, expiresAt };
  }

  async read(organizationId: string, uploadId: string): Promise<Readable> {
    const doc = await this.#find(organizationId, uploadId);
    return readBlob(this.#path(doc._id), this.#vault.unwrap(doc.wrappedKey, doc._id));
  }

  /** Deletes what has expired. A file that cannot be deleted keeps its record, and is tried again the next time. */
  async sweep(): Promise<void> {
    const expired = await this.#docs.find({ expiresAt: { $lte: this.#clock.now().toISOString() } }).toArray();
    for (const doc of expired) {
      try {
        await rm(this.#path(doc._id), { force: true });
        await this.#docs.deleteOne({ _id: doc._id });
      } catch (error) {
        this.#logger.warn({ uploadId: doc._id, error: messageOf(error) }, 'an expired upload could not be deleted');
      }
    }
  }

  async #find(organizationId: string, uploadId: string): Promise<UploadDoc> {
    const doc = await this.#docs.findOne({ _id: uploadId, organizationId });
    if (!doc || doc.expiresAt <= this.#clock.now().toISOString()) {
      throw new CaissonError(
        'not_found',
        `There is no upload ${uploadId}, or it has expired. Upload the bundle again.`,
      );
    }
    return doc;
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}

function tooLarge(maxBytes: number): CaissonError {
  return new CaissonError(
    'payload_too_large',
    `The upload is larger than ${Math.floor(maxBytes / 1024 / 1024)} MiB, the limit of this server (CAISSON_MAX_UPLOAD_MIB).`,
  );
}
