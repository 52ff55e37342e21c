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

/**
 * The touched files that are neither as they were when the run began nor as the run left them: those that a merge would
 * be about.
 */
export async function changedSince(
  git: Git | undefined,
  { top, repository }: Target,
  files: readonly FilePatch[],
): Promise<string[]> {
  const changed: string[] = [];
  for (const file of files) {
    const path = file.previousPath ?? file.path;
    const id = await blobId(repository ? git : undefined, top, path);
    if (id !== file.oldId && id !== file.newId && file.mode !== '120000' && file.mode !== '160000') changed.push(path);
  }
  return changed;
}

/** What git would name the file's content: after the clean filters (line ends, say) where a repository has some. */
async function blobId(git: Git | undefined, top: string, path: string): Promise<string | undefined> {
  const found = isSafePath(path) ? await lstat(join(top, path)).catch(() => undefined) : undefined;
  if (!found?.isFile()) return undefined;
  if (git) {
    const hashed = await git.attempt(['hash-object', '--', path], { cwd: top });
    if (hashed.exitCode === 0) return hashed.stdout.toString('utf8').trim();
  }
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
