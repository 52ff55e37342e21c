import { spawn } from 'node:child_process';
import { gitFailure, gitEnvironment, gitWords, QUIET } from '../../shared/source/git.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';

export interface GitOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly stdin?: Uint8Array | undefined;
  /** Milliseconds. Default 2 minutes. */
  readonly timeoutMs?: number;
  /** Bytes of output that are kept; beyond that the call fails. Default 64 MiB. */
  readonly maxBytes?: number;
}

export interface GitOutput {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** Starts `program` as it is told to; see `Git` for how the extension calls git. */
export function spawnGit(
  program: string,
  args: readonly string[],
  options: Omit<GitOptions, 'env'> & { readonly env: Readonly<Record<string, string | undefined>> },
): Promise<GitOutput> {
  const deadline = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([options.signal, deadline]) : deadline;
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: options.cwd,
      env: options.env,
      signal,
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) child.kill();
      else stdout.push(chunk);
    });
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // Git may end without having read everything; its exit code says what that means.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.stdin);
    const command = args.find((arg, i) => !arg.startsWith('-') && args[i - 1] !== '-c') ?? 'git';
    child.on('error', (error) =>
      reject(options.signal?.aborted ? error : gitFailure(command, options.cwd, error, deadline.aborted)),
    );
    child.on('close', (code) => {
      if (bytes > maxBytes)
        return reject(new CaissonError('payload_too_large', `git ${command} printed more than ${maxBytes} bytes.`));
      resolve({ exitCode: code ?? -1, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString('utf8') });
    });
  });
}

/** Git as the extension calls it: quiet, without hooks, in an environment that nothing redirects. */
export class Git {
  readonly program: string;

  constructor(program: string) {
    this.program = program;
  }

  /** Resolves whatever git's exit code. */
  attempt(args: readonly string[], options: GitOptions): Promise<GitOutput> {
    return spawnGit(this.program, [...QUIET, ...args], { ...options, env: gitEnvironment(process.env, options.env) });
  }

  /** @throws {CaissonError} with git's own words when it fails */
  async bytes(args: readonly string[], options: GitOptions): Promise<Buffer> {
    const output = await this.attempt(args, options);
    if (output.exitCode === 0) return output.stdout;
    throw new CaissonError('invalid_request', `git ${args[0]} failed in ${options.cwd}: ${gitWords(output)}`);
  }

  /** What it printed, without the last line break. */
  async text(args: readonly string[], options: GitOptions): Promise<string> {
    return (await this.bytes(args, options)).toString('utf8').replace(/\n$/, '');
  }

  /** True where git can be started at all. */
  async available(cwd: string): Promise<boolean> {
    try {
      return (await this.attempt(['--version'], { cwd, timeoutMs: 10_000 })).exitCode === 0;
    } catch {
      return false;
    }
  }
}
