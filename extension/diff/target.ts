import { createHash } from 'node:crypto';
import { lstat, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Git } from '../git/run-git.ts';
import type { FilePatch } from './file-patch.ts';
import { isSafePath } from './safe-path.ts';

/** Where a patch is to be applied. */
export interface Target {
  /** Where the patch's paths begin: the repository's top, or the folder itself where there is no git. */
  readonly top: string;
  readonly repository: boolean;
  /** The repository's objects. */
  readonly objects?: string;
}

/** @param git undefined where git cannot be started */
export async function findTarget(git: Git | undefined, folder: string): Promise<Target> {
  const found = await git?.attempt(
    ['rev-parse', '--path-format=absolute', '--show-toplevel', '--git-path', 'objects'],
    { cwd: folder },
  );
  const [top, objects] = found?.exitCode === 0 ? found.stdout.toString('utf8').split('\n') : [];
  return top && objects ? { top, objects, repository: true } : { top: folder, repository: false };
}

/** How a file is now: as it was when the run began, as the run has left it, or neither. */
export type Standing = 'as_begun' | 'as_left' | 'changed';

/** @returns the standing of each of the files, in their order */
export async function standings(
  git: Git | undefined,
  { top, repository }: Target,
  files: readonly FilePatch[],
): Promise<Standing[]> {
  const ids = await blobIds(repository ? git : undefined, top, files.map(pathHere));
  return files.map((file) => {
    const id = ids.get(pathHere(file));
    return id === file.oldId ? 'as_begun' : id === file.newId ? 'as_left' : 'changed';
  });
}

/** The touched files that have changed since the run began: those that a merge would be about. */
export async function changedSince(
  git: Git | undefined,
  target: Target,
  files: readonly FilePatch[],
): Promise<string[]> {
  const standing = await standings(git, target, files);
  // Of links and submodules nobody can say: what they hold is not a file's content.
  const changed = files.filter(({ mode }, i) => standing[i] === 'changed' && mode !== '120000' && mode !== '160000');
  return changed.map(pathHere);
}

const pathHere = (file: FilePatch): string => file.previousPath ?? file.path;

/**
 * What git would name the contents of those of the files that exist: after the clean filters (line ends, say) where a
 * repository has some.
 */
async function blobIds(
  git: Git | undefined,
  top: string,
  paths: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const files: string[] = [];
  for (const path of paths)
    if (isSafePath(path) && (await lstat(join(top, path)).catch(() => undefined))?.isFile()) files.push(path);
  // One process for all of them, each named in a line of its own (git-hash-object(1), --stdin-paths).
  const lines = files.some((path) => /^"|\n/.test(path)) ? undefined : files.map((path) => `${path}\n`).join('');
  const hashed =
    git && lines && (await git.attempt(['hash-object', '--stdin-paths'], { cwd: top, stdin: Buffer.from(lines) }));
  const ids = hashed && hashed.exitCode === 0 ? hashed.stdout.toString('utf8').trimEnd().split('\n') : [];
  if (ids.length === files.length) return new Map(files.map((path, i) => [path, ids[i]!]));
  const found = new Map<string, string>();
  for (const path of files) found.set(path, await blobId(git, top, path));
  return found;
}

async function blobId(git: Git | undefined, top: string, path: string): Promise<string> {
  const hashed = await git?.attempt(['hash-object', '--', path], { cwd: top });
  if (hashed?.exitCode === 0) return hashed.stdout.toString('utf8').trim();
  const content = await readFile(join(top, path));
  return createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex');
}

/**
 * The file that a path from a patch means, if it may be written: below the folder, not in `.git`, not a symbolic link
 * and not behind one.
 */
export async function writablePath(top: string, path: string): Promise<string | undefined> {
  if (!isSafePath(path)) return undefined;
  const file = join(top, path);
  if ((await lstat(file).catch(() => undefined))?.isSymbolicLink()) return undefined;
  const realTop = await realpath(top);
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    // The nearest folder that exists decides: whatever is made below it is made by us.
    const real = await realpath(folder).catch(() => undefined);
    if (real !== undefined) return real === join(realTop, folder.slice(top.length)) ? file : undefined;
    if (folder === dirname(folder)) return undefined;
  }
}
