import { CaissonError } from '../protocol/errors.ts';
import { gitWords, type Git, type GitOptions } from './git.ts';

/**
 * Creates `branch` from a bundle of a run's branch, without checking it out. The bundle comes out of a sandbox: its
 * objects are checked, and nothing of it but objects gets in.
 * @throws {CaissonError} `conflict` where the branch exists, or the commit that the run started from does not
 */
export async function fetchRunBranch(
  git: Git,
  bundle: string,
  branch: string,
  options: GitOptions,
): Promise<{ commit: string }> {
  const valid = await git.attempt(['check-ref-format', '--branch', branch], options);
  if (valid.exitCode !== 0) throw new CaissonError('invalid_request', `"${branch}" is not a branch name.`);
  const ref = `refs/heads/${branch}`;
  if ((await git.attempt(['show-ref', '--verify', '--quiet', ref], options)).exitCode === 0)
    throw new CaissonError('conflict', `The branch ${branch} exists already. Choose another name.`);
  const source = await bundledRef(git, bundle, options);
  // What an agent committed is checked before it becomes part of the repository (git-config(1), transfer.fsckObjects).
  const args = ['-c', 'transfer.fsckObjects=true', 'fetch', '--quiet', '--no-tags', '--no-write-fetch-head'];
  const fetched = await git.attempt([...args, bundle, `${source}:${ref}`], options);
  if (fetched.exitCode !== 0) {
    const advice = /prerequisite/.test(fetched.stderr)
      ? 'This repository does not have the commit that the run started from. Run it in the repository that the run was started in.'
      : gitWords(fetched);
    throw new CaissonError('conflict', `The run's branch could not be fetched: ${advice}`);
  }
  return { commit: await git.run(['rev-parse', ref], options) };
}

/** The one branch that a run's bundle holds. @throws {CaissonError} `internal` where there is none */
export async function bundledRef(git: Git, bundle: string, options: GitOptions): Promise<string> {
  const heads = await git.run(['bundle', 'list-heads', bundle], options);
  const source = /^[0-9a-f]+ (refs\/heads\/\S+)$/m.exec(heads)?.[1];
  if (!source) throw new CaissonError('internal', 'The bundle of the run holds no branch.');
  return source;
}
