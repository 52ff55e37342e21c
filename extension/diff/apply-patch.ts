import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { gitWords } from '../../shared/source/git.ts';
import type { Git } from '../git/run-git.ts';
import { applyHunks } from './apply-hunks.ts';
import type { FilePatch } from './file-patch.ts';
import { mergeFile } from './merge-file.ts';
import { standings, writablePath, type Target } from './target.ts';

export interface Patch {
  readonly bytes: Uint8Array;
  readonly files: readonly FilePatch[];
  /** A blob of either side; undefined where it is not on this machine. */
  readonly blob: (id: string) => Promise<Buffer | undefined>;
}

export interface Skipped {
  readonly path: string;
  readonly why: 'binary' | 'deleted_here' | 'changed_here' | 'no_base' | 'unsafe' | 'refused';
}

export interface Applied {
  readonly applied: readonly string[];
  /** Files with conflict markers; in a repository the index knows them as unmerged. */
  readonly conflicts: readonly string[];
  readonly skipped: readonly Skipped[];
}

const APPLY = ['apply', '--whitespace=nowarn'];

/**
 * Applies the whole patch to the working tree if it fits, the index left alone: git does it whole or not at all, and
 * refuses paths outside the tree, in `.git` and behind symbolic links (git-apply(1), --unsafe-paths).
 * @returns undefined where it does not fit; then nothing was touched
 */
export async function applyWhole(git: Git | undefined, target: Target, patch: Patch): Promise<Applied | undefined> {
  if (!git) return applyWithoutGit(target.top, patch.files);
  const applied = await git.attempt([...APPLY, '-'], { cwd: target.top, stdin: patch.bytes });
  if (applied.exitCode !== 0) return undefined;
  return { applied: patch.files.map((file) => file.path), conflicts: [], skipped: [] };
}

/**
 * Applies what fits together, and the rest file by file: where the workspace has changed, it merges three ways with the
 * file that the run started from. `git apply --3way` would do the same for files that are as the index says; a run,
 * however, starts from uncommitted work, which it refuses.
 */
export async function applyMerging(git: Git, target: Target, patch: Patch): Promise<Applied> {
  const applyParts = async (files: readonly FilePatch[]) => {
    const stdin = Buffer.concat(files.map(({ start, end }) => patch.bytes.subarray(start, end)));
    return git.attempt([...APPLY, '-'], { cwd: target.top, stdin });
  };
  const standing = await standings(git, target, patch.files);
  const clean = patch.files.filter((_, i) => standing[i] === 'as_begun');
  // One process instead of one for each of perhaps thousands of files; git applies all of them or none.
  const together = new Set(clean.length > 1 && (await applyParts(clean)).exitCode === 0 ? clean : []);
  const result = { applied: [] as string[], conflicts: [] as string[], skipped: [] as Skipped[] };
  for (const file of patch.files) {
    const alone = together.has(file) ? undefined : await applyParts([file]);
    const outcome =
      alone === undefined || alone.exitCode === 0
        ? 'applied'
        : await mergeFile(git, target, file, patch.blob, gitWords(alone));
    if (outcome === 'applied') result.applied.push(file.path);
    else if (outcome === 'conflict') result.conflicts.push(file.path);
    else result.skipped.push({ path: file.path, why: outcome });
  }
  return result;
}

/** Everything is made in memory first, so that a file that does not fit leaves all of them as they are. */
async function applyWithoutGit(top: string, files: readonly FilePatch[]): Promise<Applied | undefined> {
  const writes: { file: string; text: string | undefined }[] = [];
  for (const patch of files) {
    const file = await writablePath(top, patch.path);
    if (file === undefined || patch.binary || patch.status === 'renamed' || !patch.mode.startsWith('100'))
      return undefined;
    const before = patch.status === 'added' ? '' : await readFile(file, 'utf8').catch(() => undefined);
    const exists = patch.status === 'added' && (await readFile(file).catch(() => undefined)) !== undefined;
    const after = before === undefined || exists ? undefined : applyHunks(before, patch);
    if (after === undefined) return undefined;
    writes.push({ file, text: patch.status === 'deleted' ? undefined : after });
  }
  for (const { file, text } of writes) {
    if (text === undefined) {
      await rm(file);
    } else {
      await mkdir(dirname(file), { recursive: true });
      await writeFile(file, text);
    }
  }
  return { applied: files.map((file) => file.path), conflicts: [], skipped: [] };
}
