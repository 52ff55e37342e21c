import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** Enough of a failed command's output to see why, without flooding the terminal. */
const KEPT_LINES = 25;

export class CommandFailed extends Error {
  override readonly name = 'CommandFailed';
  readonly exitCode: number | null;
  readonly output: string;
  constructor(argv: readonly string[], exitCode: number | null, output: string, reason: string) {
    super(`«${argv.join(' ')}» ${reason}${output === '' ? '' : `:\n${output}`}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

export interface CommandOptions {
  readonly timeoutMs: number;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with every line of output, both streams. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Runs a program without a shell and returns its standard output.
 * @throws {CommandFailed} when it cannot be started, does not end in time, or ends with another code than 0
 */
export async function runCommand(argv: readonly [string, ...string[]], options: CommandOptions): Promise<string> {
  const [program, ...args] = argv;
  const child = spawn(program, args, {
    cwd: options.cwd,
    // The system folders are not on every user's PATH, but mkfs and losetup live there. C.UTF-8 keeps messages parseable.
    env: { ...process.env, PATH: searchPath().join(delimiter), LC_ALL: 'C.UTF-8', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const deadline = AbortSignal.timeout(options.timeoutMs);
  const stop = options.signal ? AbortSignal.any([deadline, options.signal]) : deadline;
  const kill = (): void => void child.kill('SIGKILL');
  stop.addEventListener('abort', kill, { once: true });
  if (stop.aborted) kill();

  const stdout: string[] = [];
  const tail: string[] = [];
  const keep = (line: string): void => {
    tail.push(line);
    if (tail.length > KEPT_LINES) tail.shift();
    options.onLine?.(line);
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => stdout.push(text));
  createInterface({ input: child.stdout }).on('line', keep);
  createInterface({ input: child.stderr }).on('line', keep);

  try {
    const exitCode = await new Promise<number | null>((resolve, reject) => {
      child.once('error', (error) =>
        reject(new CommandFailed(argv, null, '', `could not be started (${error.message})`)),
      );
      child.once('close', resolve);
    });
    if (deadline.aborted) {
      throw new CommandFailed(argv, exitCode, tail.join('\n'), `did not end within ${options.timeoutMs / 1000} s`);
    }
    options.signal?.throwIfAborted();
    if (exitCode !== 0) throw new CommandFailed(argv, exitCode, tail.join('\n'), `ended with code ${exitCode}`);
    return stdout.join('');
  } finally {
    stop.removeEventListener('abort', kill);
  }
}

/** The absolute path of a program, or undefined when it is not installed. */
export function findProgram(name: string): string | undefined {
  for (const folder of searchPath()) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      continue; // Not in this folder: the next one is asked.
    }
  }
  return undefined;
}

function searchPath(): string[] {
  const own = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  return [...new Set([...own, '/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'])];
}
