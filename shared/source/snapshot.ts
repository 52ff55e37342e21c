import { CaissonError } from '../protocol/errors.ts';
import { createGit, gitWords, type Git, type GitOptions } from './git.ts';
import type { SourceHost } from './host.ts';
import { openRepository, type Repository } from './repository.ts';

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
export async function makeSnapshot(host: SourceHost, folder: string, options: SnapshotOptions = {}): Promise<Snapshot> {
  const temporary = await host.files.makeTemporaryFolder('caisson-source-');
  const dispose = () => host.files.remove(temporary);
  try {
    const made = await make(host, folder, temporary, options);
    return { ...made, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function make(
  host: SourceHost,
  folder: string,
  temporary: string,
  { ref, signal }: SnapshotOptions,
): Promise<Omit<Snapshot, keyof AsyncDisposable>> {
  const { files } = host;
  const git = createGit(host);
  const at = (name: string) => files.join(temporary, name);
  const [store, index, bundle] = [at('store.git'), at('index'), at('source.bundle')];
  const repository = await openRepository(git, files, folder, at('plain.git'), signal);
  const cwd = repository.top;
  const format = `--object-format=${repository.objectFormat}`;
  await git.run(['init', '--quiet', '--bare', '--template=', format, store], { cwd, signal });
  const objects = files.join(store, 'objects');
  if (repository.objects) await files.writeText(files.join(objects, 'info', 'alternates'), `${repository.objects}\n`);

  const options: GitOptions = {
    cwd,
    env: { ...repository.env, GIT_OBJECT_DIRECTORY: objects, GIT_INDEX_FILE: index },
    signal,
  };
  const warnings: string[] = [];
  let source: Committed;
  if (ref === undefined) {
    // The copy saves reading every unchanged file. Git takes a file that changed in the very second in which the index
    // was written for suspicious (Documentation/technical/racy-git.txt); a copy that looked younger would hide it.
    if (repository.index) await files.copyWithTime(repository.index, index);
    await addEverything(git, options);
    warnings.push(...(await gitlinks(git, options)));
    source = await commitTree(git, repository, options);
  } else {
    source = await named(git, repository, ref, options);
  }
  if (!repository.complete) warnings.push('This is a shallow or partial clone, so the history is not included.');

  const inStore: GitOptions = { cwd, env: { GIT_DIR: store }, signal };
  await git.run(['update-ref', SOURCE_REF, source.commit], inStore);
  await git.run(['bundle', 'create', '--quiet', bundle, SOURCE_REF], inStore);
  return { path: bundle, bytes: await files.size(bundle), ...source, warnings };
}

/** Fills the temporary index with the working tree: what `git add -A` would make of the user's own. */
async function addEverything(git: Git, options: GitOptions): Promise<void> {
  const added = await git.attempt(['add', '--all', '--', '.'], options);
  if (added.exitCode === 0) return;
  throw new CaissonError(
    'invalid_request',
    `The files in ${options.cwd} cannot all be read: ${gitWords(added)} Mend that, or add what is not needed to .gitignore.`,
  );
}

/** Submodules and repositories inside the repository are in a commit by name only. */
async function gitlinks(git: Git, options: GitOptions): Promise<string[]> {
  const staged = await git.run(['ls-files', '--stage', '-z'], options);
  const links = staged.split('\0').flatMap((line) => /^160000 \S+ \d\t(.+)$/s.exec(line)?.[1] ?? []);
  if (links.length === 0) return [];
  const names = links.slice(0, 5).join(', ') + (links.length > 5 ? ', …' : '');
  return [`The contents of submodules and nested repositories are not included: ${names}.`];
}

interface Committed {
  readonly commit: string;
  readonly uncommitted: number;
}

async function commitTree(git: Git, { head, complete }: Repository, options: GitOptions): Promise<Committed> {
  const tree = await git.run(['write-tree'], options);
  let uncommitted = 0;
  if (head === undefined) {
    uncommitted = count(await git.run(['ls-files', '-z'], options));
  } else {
    uncommitted = count(await git.run(['diff-index', '--cached', '--name-only', '--no-renames', '-z', head], options));
    // A clean working tree is the commit itself, so that what the run adds stands directly on the user's history.
    if (uncommitted === 0 && complete) return { commit: head, uncommitted };
  }
  return { commit: await commit(git, tree, complete ? head : undefined, options), uncommitted };
}

async function named(git: Git, { top, complete }: Repository, ref: string, options: GitOptions): Promise<Committed> {
  const found = await git.attempt(['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`], options);
  if (found.exitCode !== 0) throw new CaissonError('invalid_request', `${top} has no branch, tag or commit "${ref}".`);
  const id = found.stdout.trim();
  if (complete) return { commit: id, uncommitted: 0 };
  return { commit: await commit(git, `${id}^{tree}`, undefined, options), uncommitted: 0 };
}

function commit(git: Git, tree: string, parent: string | undefined, options: GitOptions): Promise<string> {
  const parents = parent ? ['-p', parent] : [];
  return git.run(['commit-tree', tree, ...parents, '-m', 'Workspace at the start of the run'], {
    ...options,
    env: { ...options.env, ...IDENTITY },
  });
}

const count = (list: string) => list.split('\0').filter((name) => name !== '').length;
