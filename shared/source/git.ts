import { CaissonError } from '../protocol/errors.ts';
import type { GitResult, SourceHost } from './host.ts';

export interface GitOptions {
  readonly cwd: string;
  /** Added to the environment, from which every inherited GIT_* that redirects git has been taken. */
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Nothing of the repository runs on our account: no hooks (`git add` would run post-index-change), no file system
 * monitor, no maintenance in the background. Paths are printed as they are.
 */
export const QUIET: readonly string[] = [
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  // A split index would write its shared half into the repository.
  ['core.splitIndex', 'false'],
  ['core.quotePath', 'false'],
  ['core.safecrlf', 'false'],
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['advice.addEmbeddedRepo', 'false'],
].flatMap(([name, value]) => ['-c', `${name}=${value}`]);

/** Set when git itself runs us (a hook, an alias): they would point every call at another repository. */
const KEPT = new Set(['GIT_CONFIG_GLOBAL', 'GIT_CONFIG_SYSTEM', 'GIT_CONFIG_NOSYSTEM', 'GIT_EXEC_PATH']);

/** The environment for a git that answers in English, asks nobody anything and takes no locks it does not need. */
export function gitEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  added: GitOptions['env'] = {},
): Record<string, string | undefined> {
  return {
    ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith('GIT_') || KEPT.has(name))),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    ...added,
  };
}

/** Git on one host: the ways in which every snapshot calls it. */
export function createGit(host: SourceHost) {
  /** Runs git and returns what it said, whatever its exit code. */
  const attempt = (args: readonly string[], { cwd, env, signal }: GitOptions): Promise<GitResult> =>
    host.runGit([...QUIET, ...args], { cwd, env: gitEnvironment(host.environment, env), signal });

  /** Runs git, and returns its output without the last line break. @throws {CaissonError} with git's own words */
  async function run(args: readonly string[], options: GitOptions): Promise<string> {
    const result = await attempt(args, options);
    if (result.exitCode === 0) return result.stdout.replace(/\n$/, '');
    throw new CaissonError('invalid_request', `git ${args[0]} failed in ${options.cwd}: ${gitWords(result)}`);
  }

  return { attempt, run };
}

export type Git = ReturnType<typeof createGit>;

/** The lines in which git says what is wrong; its hints and warnings left out where there are errors. */
export function gitWords({ stderr, exitCode }: Pick<GitResult, 'stderr' | 'exitCode'>): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'));
  const errors = lines.filter((line) => /^(fatal|error):/.test(line));
  return (errors.length > 0 ? errors : lines).slice(0, 5).join(' ') || `it ended with ${exitCode}`;
}

/** What it means that the operating system could not start git, or that it took too long. */
export function gitFailure(command: string, cwd: string, error: Error, timedOut: boolean): CaissonError {
  if (timedOut) return new CaissonError('unavailable', `git ${command} took too long in ${cwd}.`);
  if ('code' in error && error.code === 'ENOENT') {
    // Node reports a missing working directory in the same way.
    return new CaissonError('invalid_request', `git cannot be started in ${cwd}. Install git, or check the folder.`, {
      cause: error,
    });
  }
  return new CaissonError('internal', `git cannot be started: ${error.message}`, { cause: error });
}
