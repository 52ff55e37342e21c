import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import type { Git } from '../git/run-git.ts';
import type { Session } from '../session/session.ts';
import type { Localizer } from '../support/localizer.ts';
import { excerpt, type Side } from './excerpt.ts';
import { parsePatch, type FilePatch } from './file-patch.ts';
import { exists, ResultObjects, saveBundle } from './result-objects.ts';
import { findTarget } from './target.ts';

export interface RunResult {
  readonly run: Run;
  readonly bytes: Uint8Array;
  readonly files: readonly FilePatch[];
}

export interface RunResultsOptions {
  /** A folder of our own, on disk. */
  readonly storage: () => string;
  readonly session: () => Promise<Session>;
  /** Undefined where git cannot be started. */
  readonly git: () => Promise<Git | undefined>;
  /** The folder that the run was started in, or the one that is open. */
  readonly folderOf: (runId: string) => string | undefined;
  readonly l10n: Localizer;
}

/** Results are made again from the server when they are needed, so only the latest few are kept. */
const KEPT_IN_MEMORY = 8;
const KEPT_ON_DISK = 20;

/** What runs have changed: their patches, and both sides of each file. Never changes again once a run has ended. */
export class RunResults {
  readonly #options: RunResultsOptions;
  readonly #results = new Map<string, Promise<RunResult>>();
  readonly #objects = new Map<string, Promise<ResultObjects | undefined>>();
  readonly #bundles = new Map<string, Promise<string>>();

  constructor(options: RunResultsOptions) {
    this.#options = options;
  }

  /** @throws {CaissonError} `not_found` where the run has no changes, or not yet */
  load(runId: string): Promise<RunResult> {
    return remember(this.#results, runId, () => this.#download(runId));
  }

  async #download(runId: string): Promise<RunResult> {
    const session = await this.#options.session();
    const run = await session.call((client) => client.runs.get(runId));
    if (!run.patch)
      throw new CaissonError('not_found', this.#options.l10n.t('This run has changed nothing, or not yet.'));
    const bytes = await session.call((client) => client.runs.patch(runId));
    return { run, bytes, files: parsePatch(bytes) };
  }

  /** The run's branch as a bundle, on disk. */
  bundle(runId: string): Promise<string> {
    return remember(this.#bundles, runId, async () => {
      const folder = join(this.#options.storage(), 'results', runId);
      const file = join(folder, 'result.bundle');
      if (await exists(file)) return file;
      await this.#prune();
      await mkdir(folder, { recursive: true });
      const session = await this.#options.session();
      await saveBundle(await session.call((client) => client.runs.bundle(runId)), file);
      return file;
    });
  }

  /** Both sides' blobs; undefined where git, or the commits that the bundle builds on, are not on this machine. */
  objects(runId: string): Promise<ResultObjects | undefined> {
    return remember(this.#objects, runId, async () => {
      const git = await this.#options.git();
      if (!git) return undefined;
      const bundle = await this.bundle(runId);
      const folder = this.#options.folderOf(runId);
      const target = folder === undefined ? undefined : await findTarget(git, folder);
      const objects = await ResultObjects.open(git, bundle, join(bundle, '..', 'result.git'), target?.objects);
      const { files } = await this.load(runId);
      await objects?.readAhead(files.flatMap(({ oldId, newId }) => [oldId, newId].filter((id) => id !== undefined)));
      return objects;
    });
  }

  /** One side of one file as text for an editor. What is no text is said in a sentence instead. */
  async content(runId: string, path: string, side: Side): Promise<string> {
    const { l10n } = this.#options;
    const file = (await this.load(runId)).files.find((candidate) => candidate.path === path);
    if (!file) return '';
    const id = side === 'before' ? file.oldId : file.newId;
    if (id === undefined && !file.hunks.some((hunk) => hunk.lines.length > 0)) return '';
    if (file.binary) return id === undefined ? '' : `${l10n.t('(binary file, {0})', id.slice(0, 12))}\n`;
    if (id === undefined) return '';
    const objects = await this.objects(runId);
    const here = await Promise.all([file.oldId, file.newId].map(async (each) => each && objects?.blob(each)));
    // Where one side is not on this machine, the other one alone would look as if all of it were new.
    if ([file.oldId, file.newId].some((each, i) => each !== undefined && here[i] === undefined))
      return excerpt(file, side);
    const blob = here[side === 'before' ? 0 : 1];
    if (blob === 'too_large') return `${l10n.t('(This file is too large to be shown.)')}\n`;
    return blob?.toString('utf8') ?? '';
  }

  /** The run was deleted: nothing of it stays. */
  async forget(runId: string): Promise<void> {
    this.#results.delete(runId);
    this.#objects.delete(runId);
    this.#bundles.delete(runId);
    await rm(join(this.#options.storage(), 'results', runId), { recursive: true, force: true });
  }

  async #prune(): Promise<void> {
    const root = join(this.#options.storage(), 'results');
    const names = await readdir(root).catch(() => []);
    if (names.length < KEPT_ON_DISK) return;
    const aged = await Promise.all(names.map(async (name) => ({ name, at: (await stat(join(root, name))).mtimeMs })));
    for (const { name } of aged.sort((a, b) => b.at - a.at).slice(KEPT_ON_DISK - 1)) await this.forget(name);
  }
}

/** Asks once for each key. A failure is not remembered. */
function remember<T>(cache: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = cache.get(key);
  if (known) return known;
  const made = make();
  cache.set(key, made);
  made.catch(() => cache.delete(key));
  const oldest = cache.keys().next().value;
  if (cache.size > KEPT_IN_MEMORY && oldest !== undefined) cache.delete(oldest);
  return made;
}
