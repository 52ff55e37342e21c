import { fetchRunBranch } from '../../../shared/source/branch.ts';
import { createGit } from '../../../shared/source/git.ts';
import { gitWords, tryGit, type GitResult } from './git.ts';
import { sourceHost } from './host.ts';

export type ApplyResult =
  | { readonly outcome: 'applied' }
  /** The tree had changed; git merged the patch in, with conflict markers in these files. */
  | { readonly outcome: 'merged'; readonly conflicts: readonly string[] }
  /** The tree has changed where the patch wants to; nothing was touched. */
  | { readonly outcome: 'refused'; readonly reason: string };

/** Where the patch's paths begin: the working tree's top, or the folder itself where there is no git. */
async function topOf(folder: string): Promise<{ top: string; repository: boolean }> {
  const found = await tryGit(['rev-parse', '--show-toplevel'], { cwd: folder });
  return found.exitCode === 0
    ? { top: found.stdout.replace(/\n$/, ''), repository: true }
    : { top: folder, repository: false };
}

/**
 * Applies a run's patch to the working tree. As it is, where the tree is what the run started from; merged three ways,
 * where it has changed and git has what that needs; else not at all. git itself refuses paths outside the tree, inside
 * `.git` and beyond symbolic links (git-apply(1), --unsafe-paths), which a hostile patch would use.
 */
export async function applyPatch(patch: Uint8Array, folder: string, checkOnly = false): Promise<ApplyResult> {
  const { top, repository } = await topOf(folder);
  const apply = (...args: string[]) =>
    tryGit(['apply', '--whitespace=nowarn', ...args, '-'], { cwd: top, stdin: patch });
  const check = await apply('--check');
  if (check.exitCode === 0) {
    if (checkOnly) return { outcome: 'applied' };
    const applied = await apply();
    return applied.exitCode === 0 ? { outcome: 'applied' } : { outcome: 'refused', reason: gitWords(applied) };
  }
  const refused: ApplyResult = { outcome: 'refused', reason: gitWords(check) };
  // --3way goes through the index: git insists on files that are as the index says, so no uncommitted work is lost.
  if (checkOnly || !repository || (await apply('--3way', '--check')).exitCode !== 0) return refused;
  const merged = await apply('--3way');
  const conflicts = conflictsOf(merged);
  if (merged.exitCode !== 0 && conflicts.length === 0) return { outcome: 'refused', reason: gitWords(merged) };
  return { outcome: 'merged', conflicts };
}

const conflictsOf = ({ stderr }: GitResult): string[] =>
  stderr.split('\n').flatMap((line) => /^U (.+)$/.exec(line)?.[1] ?? []);

/** Creates `branch` from a bundle of the run's branch, without checking it out. */
export function fetchBranch(bundle: string, branch: string, folder: string): Promise<{ commit: string }> {
  return fetchRunBranch(createGit(sourceHost), bundle, branch, { cwd: folder });
}
