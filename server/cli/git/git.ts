import { spawn } from 'node:child_process';
import { CaissonError } from '../../../shared/protocol/errors.ts';

export interface GitOptions {
  readonly cwd: string;
  /** Added to the environment, from which every inherited GIT_* that redirects git has been taken. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
  readonly stdin?: Uint8Array;
  /** Milliseconds. Default 10 minutes: adding a large tree on a slow disk takes its time. */
  readonly timeoutMs?: number;
}

export interface GitResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Nothing of the repository runs on our account: no hooks (`git add` would run post-index-change), no file system
 * monitor, no maintenance in the background. Paths are printed as they are.
 */
const QUIET = [
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

function environment(added: GitOptions['env'] = {}): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_') || KEPT.has(name));
  return {
    ...Object.fromEntries(inherited),
    LC_ALL: 'C',
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    ...added,
  };
}

/** Runs git and returns what it said, whatever its exit code. */
export function tryGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  const deadline = AbortSignal.timeout(options.timeoutMs ?? 600_000);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  return new Promise((resolve, reject) => {
    const child = spawn('git', [...QUIET, ...args], {
      cwd: options.cwd,
      env: environment(options.env),
      signal,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // Git may end without having read everything; its exit code says what that means.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin);
    child.on('error', (error) => reject(explain(error, args, options, deadline)));
    child.on('close', (code) =>
      resolve({
        exitCode: code ?? -1,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
  });
}

/** Runs git, and returns its output without the last line break. @throws {CaissonError} with git's own words */
export async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const result = await tryGit(args, options);
  if (result.exitCode === 0) return result.stdout.replace(/\n$/, '');
  throw new CaissonError('invalid_request', `git ${args[0]} failed in ${options.cwd}: ${gitWords(result)}`);
}

/** The lines in which git says what is wrong; its hints and warnings left out where there are errors. */
export function gitWords({ stderr, exitCode }: GitResult): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('hint:'));
  const errors = lines.filter((line) => /^(fatal|error):/.test(line));
  return (errors.length > 0 ? errors : lines).slice(0, 5).join(' ') || `it ended with ${exitCode}`;
}

function explain(error: Error, args: readonly string[], options: GitOptions, deadline: AbortSignal): Error {
  if (options.signal?.aborted) return error;
  if (deadline.aborted) return new CaissonError('unavailable', `git ${args[0]} took too long in ${options.cwd}.`);
  if ('code' in error && error.code === 'ENOENT') {
    // Node reports a missing working directory in the same way.
    return new CaissonError(
      'invalid_request',
      `git cannot be started in ${options.cwd}. Install git, or check the folder.`,
    );
  }
  return new CaissonError('internal', `git cannot be started: ${error.message}`, { cause: error });
}
