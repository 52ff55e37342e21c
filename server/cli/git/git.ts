import { spawn } from 'node:child_process';
import { gitEnvironment, gitFailure, gitWords, QUIET } from '../../../shared/source/git.ts';
import type { GitCall, GitResult } from '../../../shared/source/host.ts';

export { gitWords };
export type { GitResult };

export interface GitOptions {
  readonly cwd: string;
  readonly signal?: AbortSignal | undefined;
  readonly stdin?: Uint8Array;
}

/** Adding a large tree on a slow disk takes its time. */
const TIMEOUT_MS = 600_000;

/** Starts git with exactly these arguments and environment. */
export function spawnGit(args: readonly string[], call: GitCall & { stdin?: Uint8Array }): Promise<GitResult> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  const signal = call.signal ? AbortSignal.any([call.signal, deadline]) : deadline;
  return new Promise((resolve, reject) => {
    const child = spawn('git', args, { cwd: call.cwd, env: call.env, signal, stdio: ['pipe', 'pipe', 'pipe'] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    // Git may end without having read everything; its exit code says what that means.
    child.stdin.on('error', () => undefined);
    child.stdin.end(call.stdin);
    child.on('error', (error) =>
      reject(call.signal?.aborted ? error : gitFailure(commandOf(args), call.cwd, error, deadline.aborted)),
    );
    child.on('close', (code) =>
      resolve({
        exitCode: code ?? -1,
        stdout: Buffer.concat(stdout).toString('utf8'),
        stderr: Buffer.concat(stderr).toString('utf8'),
      }),
    );
  });
}

const commandOf = (args: readonly string[]) =>
  args.find((arg, i) => !arg.startsWith('-') && args[i - 1] !== '-c') ?? 'git';

/** Runs git and returns what it said, whatever its exit code. */
export function tryGit(args: readonly string[], options: GitOptions): Promise<GitResult> {
  return spawnGit([...QUIET, ...args], { ...options, env: gitEnvironment(process.env) });
}
