import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGit } from '../../shared/source/git.ts';
import { bundledRef } from '../../shared/source/branch.ts';
import type { Git } from '../git/run-git.ts';
import { createSourceHost } from '../git/source-host.ts';

/** A file that the diff editor can show takes less; a larger one is named and not shown. */
export const MAX_SHOWN_BYTES = 5 * 1024 * 1024;
/** What is kept in memory of a result whose files are read all at once. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Writes a run's bundle to `file`, whole or not at all. */
export async function saveBundle(body: ReadableStream<Uint8Array>, file: string, signal?: AbortSignal): Promise<void> {
  const partial = `${file}.partial`;
  try {
    const source = Readable.fromWeb(body);
    await pipeline(source, createWriteStream(partial), { ...(signal && { signal }) });
    await rename(partial, file);
  } finally {
    await rm(partial, { force: true });
  }
}

/**
 * The files of a run's result, both sides, in a git directory of our own that borrows what the user's repository has
 * (gitrepository-layout(5), objects/info/alternates). Nothing is written into that repository, and nothing of the
 * bundle but objects gets here: bundles carry neither hooks nor configuration, and blobs are read without filters.
 */
export class ResultObjects {
  readonly #git: Git;
  readonly #folder: string;
  readonly #kept = new Map<string, Buffer>();

  private constructor(git: Git, folder: string) {
    this.#git = git;
    this.#folder = folder;
  }

  /**
   * @param objects the object folder of the user's repository, if there is one
   * @returns undefined where the bundle needs commits that are not on this machine
   */
  static async open(
    git: Git,
    bundle: string,
    folder: string,
    objects: string | undefined,
    signal?: AbortSignal,
  ): Promise<ResultObjects | undefined> {
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    const options = { cwd: folder, signal };
    await git.text(['init', '--quiet', '--bare', '--template=', '.'], options);
    if (objects !== undefined) await writeFile(join(folder, 'objects', 'info', 'alternates'), `${objects}\n`);
    const ref = await bundledRef(createGit(createSourceHost(git.program)), bundle, options);
    const fetch = ['-c', 'transfer.fsckObjects=true', 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head'];
    const fetched = await git.attempt([...fetch, bundle, `${ref}:refs/heads/result`], options);
    return fetched.exitCode === 0 ? new ResultObjects(git, folder) : undefined;
  }

  /**
   * Reads blobs ahead, with two processes instead of two for each: a diff editor asks for both sides of every file. As
   * many as fit are kept; the rest, and what is not here, is left to `blob`.
   */
  async readAhead(ids: readonly string[]): Promise<void> {
    const options = { cwd: this.#folder, env: { GIT_DIR: this.#folder } };
    const listed = await this.#git.attempt(['cat-file', '--batch-check'], { ...options, stdin: lines(ids) });
    const wanted: string[] = [];
    let left = MAX_KEPT_BYTES;
    for (const line of listed.stdout.toString('utf8').split('\n')) {
      const [, id, size] = /^([0-9a-f]+) blob (\d+)$/.exec(line) ?? [];
      if (id === undefined || Number(size) > Math.min(left, MAX_SHOWN_BYTES)) continue;
      left -= Number(size);
      wanted.push(id);
    }
    if (wanted.length === 0) return;
    const read = await this.#git.attempt(['cat-file', '--batch'], { ...options, stdin: lines(wanted) });
    // Each one is `<id> blob <size>`, a line break, the content, and another line break (git-cat-file(1), «BATCH OUTPUT»).
    for (let at = 0; at < read.stdout.length;) {
      const end = read.stdout.indexOf('\n', at);
      const [, id, size] = /^([0-9a-f]+) blob (\d+)$/.exec(read.stdout.toString('latin1', at, end)) ?? [];
      if (id === undefined) return;
      this.#kept.set(id, read.stdout.subarray(end + 1, end + 1 + Number(size)));
      at = end + Number(size) + 2;
    }
  }

  /** The blob's content; undefined where it is not here, `too_large` beyond `MAX_SHOWN_BYTES`. */
  async blob(id: string, maxBytes = MAX_SHOWN_BYTES): Promise<Buffer | 'too_large' | undefined> {
    const kept = this.#kept.get(id);
    if (kept) return kept.length > maxBytes ? 'too_large' : kept;
    const options = { cwd: this.#folder, env: { GIT_DIR: this.#folder } };
    const size = await this.#git.attempt(['cat-file', '-s', id], options);
    if (size.exitCode !== 0) return undefined;
    if (Number(size.stdout.toString('utf8')) > maxBytes) return 'too_large';
    return this.#git.bytes(['cat-file', 'blob', id], options);
  }
}

const lines = (ids: readonly string[]): Buffer => Buffer.from(ids.map((id) => `${id}\n`).join(''));

export async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
