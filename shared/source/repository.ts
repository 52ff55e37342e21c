import { CaissonError } from '../protocol/errors.ts';
import type { Git } from './git.ts';
import type { SourceFiles } from './host.ts';

/** What a snapshot has to know about the folder that it is made of. */
export interface Repository {
  /** The working tree's top folder. */
  readonly top: string;
  /** For every git call on it. */
  readonly env: Readonly<Record<string, string>>;
  /** The index to begin with, if there is one yet. */
  readonly index: string | undefined;
  /** Where its objects are; none for a folder that is not under git. */
  readonly objects: string | undefined;
  readonly objectFormat: string;
  /** The commit that is checked out; none before the first one, and for a folder that is not under git. */
  readonly head: string | undefined;
  /** False for shallow and partial clones: their past cannot be packed, because it is not here. */
  readonly complete: boolean;
}

/**
 * Looks at `folder`. A folder that is not under git gets an empty git directory at `gitDir`, elsewhere, so that nothing
 * is written into it.
 */
export async function openRepository(
  git: Git,
  files: SourceFiles,
  folder: string,
  gitDir: string,
  signal?: AbortSignal,
): Promise<Repository> {
  const cwd = await files.realFolder(folder);
  if (cwd === undefined)
    throw new CaissonError('invalid_request', `${folder} is not a folder. Name a folder or a git URL.`);
  const options = { cwd, signal };
  const inside = await git.attempt(['rev-parse', '--is-inside-work-tree'], options);
  if (inside.exitCode !== 0) {
    // Anything but «there is none» (a repository of another owner, a broken one) must not be mistaken for it.
    if (!/not a git repository/i.test(inside.stderr)) await git.run(['rev-parse', '--git-dir'], options);
    return plainFolder(git, files, cwd, gitDir, signal);
  }
  if (inside.stdout.trim() !== 'true') {
    throw new CaissonError(
      'invalid_request',
      `${cwd} is inside a git directory, which has no working tree. Name the project's folder.`,
    );
  }
  const answer = (...args: string[]) => git.run(['rev-parse', '--path-format=absolute', ...args], options);
  const [top, index, objects, objectFormat, shallow, head, promisor] = await Promise.all([
    answer('--show-toplevel'),
    answer('--git-path', 'index'),
    answer('--git-path', 'objects'),
    answer('--show-object-format'),
    answer('--is-shallow-repository'),
    git.attempt(['rev-parse', '--verify', '--quiet', 'HEAD^{commit}'], options),
    git.attempt(['config', '--get-regexp', '^(extensions\\.partialclone|remote\\..*\\.promisor)$'], options),
  ]);
  return {
    top,
    env: {},
    index,
    objects,
    objectFormat,
    head: head.exitCode === 0 ? head.stdout.trim() : undefined,
    complete: shallow !== 'true' && promisor.exitCode !== 0,
  };
}

async function plainFolder(
  git: Git,
  files: SourceFiles,
  cwd: string,
  gitDir: string,
  signal: AbortSignal | undefined,
): Promise<Repository> {
  if (files.isRoot(cwd) || cwd === ((await files.realFolder(files.homeFolder)) ?? files.homeFolder)) {
    throw new CaissonError(
      'invalid_request',
      `${cwd} is not a project folder, and all of it would be uploaded. Choose a project's folder, or no source.`,
    );
  }
  await files.makeFolder(gitDir);
  // An empty template, or the user's own hooks would be copied in.
  await git.run(['init', '--quiet', '--bare', '--template=', gitDir], { cwd, signal });
  return {
    top: cwd,
    env: { GIT_DIR: gitDir, GIT_WORK_TREE: cwd },
    index: undefined,
    objects: undefined,
    objectFormat: await git.run(['rev-parse', '--show-object-format'], { cwd, env: { GIT_DIR: gitDir }, signal }),
    head: undefined,
    complete: true,
  };
}
