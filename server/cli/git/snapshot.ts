import { copyFile, mkdtemp, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { git, gitWords, tryGit } from './git.ts';
import { openRepository, snapshotPaths, type Repository } from './repository.ts';

export interface Snapshot extends AsyncDisposable {
  /** The bundle's file; it exists until the snapshot is disposed of. */
  readonly path: string;
  readonly bytes: number;
  readonly commit: string;
  /** Files that differ from the commit that is checked out, untracked ones included. */
  readonly uncommitted: number;
  /** What is not in it, as sentences for the user. */
  readonly warnings: readonly string[];
}

export interface SnapshotOptions {
  /** A branch, tag or commit, instead of the working tree as it is. */
  readonly ref?: string;
  readonly signal?: AbortSignal;
}

/** The server looks for this name first. */
export const SOURCE_REF = 'refs/heads/caisson-source';

const AUTHOR = { name: 'Caisson', email: 'source@caisson.invalid' };
const IDENTITY = {
  GIT_AUTHOR_NAME: AUTHOR.name,
  GIT_AUTHOR_EMAIL: AUTHOR.email,
  GIT_COMMITTER_NAME: AUTHOR.name,
  GIT_COMMITTER_EMAIL: AUTHOR.email,
};

/**
 * A git bundle of a folder as it is now: uncommitted and untracked files included, ignored ones not. The user's index,
 * refs, stash, working tree and object store are only read: the index is a copy, new objects go to a temporary store
 * that has the repository's as its alternate (gitrepository-layout(5), objects/info/alternates), and the bundle's ref
 * exists only there.
 */
export async function snapshot(folder: string, options: SnapshotOptions = {}): Promise<Snapshot> {
  const temporary = await mkdtemp(join(tmpdir(), 'caisson-source-'));
  const dispose = () => rm(temporary, { recursive: true, force: true, maxRetries: 3 });
  try {
    const made = await make(folder, temporary, options);
    return { ...made, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function make(
  folder: string,
  temporary: string,
  { ref, signal }: SnapshotOptions,
): Promise<Omit<Snapshot, keyof AsyncDisposable>> {
  const paths = snapshotPaths(temporary);
  const repository = await openRepository(folder, paths.plain, signal);
  const cwd = repository.top;
  const format = `--object-format=${repository.objectFormat}`;
  await git(['init', '--quiet', '--bare', '--template=', format, paths.store], { cwd, signal });
  if (repository.objects) {
    await writeFile(join(paths.store, 'objects', 'info', 'alternates'), `${repository.objects}\n`);
  }

  const env = { ...repository.env, GIT_OBJECT_DIRECTORY: join(paths.store, 'objects'), GIT_INDEX_FILE: paths.index };
  const warnings: string[] = [];
  let source: Committed;
  if (ref === undefined) {
    await addEverything(repository, paths.index, env, signal);
    warnings.push(...(await gitlinks(cwd, env, signal)));
    source = await commitTree(repository, env, signal);
  } else {
    source = await named(repository, ref, env, signal);
  }
  if (!repository.complete) warnings.push('This is a shallow or partial clone, so the history is not included.');

  const inStore = { GIT_DIR: paths.store };
  await git(['update-ref', SOURCE_REF, source.commit], { cwd, env: inStore, signal });
  await git(['bundle', 'create', '--quiet', paths.bundle, SOURCE_REF], { cwd, env: inStore, signal });
  const { size } = await stat(paths.bundle);
  return { path: paths.bundle, bytes: size, commit: source.commit, uncommitted: source.uncommitted, warnings };
}

/** Fills the temporary index with the working tree: what `git add -A` would make of the user's own. */
async function addEverything(
  repository: Repository,
  index: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const cwd = repository.top;
  if (repository.index) {
    // The copy saves reading every unchanged file. Git takes a file that changed in the very second in which the index
    // was written for suspicious (Documentation/technical/racy-git.txt); a copy that looked younger would hide it.
    const original = await stat(repository.index).catch(() => undefined);
    if (original) {
      await copyFile(repository.index, index);
      const second = Math.floor(original.mtimeMs / 1000);
      await utimes(index, second, second);
    }
  }
  const added = await tryGit(['add', '--all', '--', '.'], { cwd, env, signal });
  if (added.exitCode === 0) return;
  throw new CaissonError(
    'invalid_request',
    `The files in ${cwd} cannot all be read: ${gitWords(added)} Mend that, or add what is not needed to .gitignore.`,
  );
}

/** Submodules and repositories inside the repository are in a commit by name only. */
async function gitlinks(
  cwd: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const staged = await git(['ls-files', '--stage', '-z'], { cwd, env, signal });
  const links = staged.split('\0').flatMap((line) => /^160000 \S+ \d\t(.+)$/s.exec(line)?.[1] ?? []);
  if (links.length === 0) return [];
  const names = links.slice(0, 5).join(', ') + (links.length > 5 ? ', …' : '');
  return [`The contents of submodules and nested repositories are not included: ${names}.`];
}

interface Committed {
  readonly commit: string;
  readonly uncommitted: number;
}

async function commitTree(
  repository: Repository,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Committed> {
  const options = { cwd: repository.top, env, signal };
  const tree = await git(['write-tree'], options);
  const { head, complete } = repository;
  let uncommitted = 0;
  if (head === undefined) {
    uncommitted = count(await git(['ls-files', '-z'], options));
  } else {
    uncommitted = count(await git(['diff-index', '--cached', '--name-only', '--no-renames', '-z', head], options));
    // A clean working tree is the commit itself, so that what the run adds stands directly on the user's history.
    if (uncommitted === 0 && complete) return { commit: head, uncommitted };
  }
  return { commit: await commit(tree, complete ? head : undefined, options), uncommitted };
}

async function named(
  repository: Repository,
  ref: string,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal | undefined,
): Promise<Committed> {
  const options = { cwd: repository.top, env, signal };
  const found = await tryGit(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], options);
  if (found.exitCode !== 0) {
    throw new CaissonError('invalid_request', `${repository.top} has no branch, tag or commit "${ref}".`);
  }
  const id = found.stdout.trim();
  if (repository.complete) return { commit: id, uncommitted: 0 };
  return { commit: await commit(`${id}^{tree}`, undefined, options), uncommitted: 0 };
}

function commit(tree: string, parent: string | undefined, options: Parameters<typeof git>[1]): Promise<string> {
  return git(['commit-tree', tree, ...(parent ? ['-p', parent] : []), '-m', 'Workspace at the start of the run'], {
    ...options,
    env: { ...options.env, ...IDENTITY },
  });
}

const count = (list: string) => list.split('\0').filter((name) => name !== '').length;
