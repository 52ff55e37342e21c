import type Docker from 'dockerode';
import { Writable, type Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { messageOf, withDeadline } from '../../base/lifecycle.ts';
import { AGENT_UID, type ExecOptions, type SandboxExit, type SandboxProcess } from '../sandbox.ts';
import type { Life } from './exit.ts';
import { splitOutput } from './frames.ts';

const START_DEADLINE_MS = 30_000;
/** How long the engine may take to know the exit code after it closed the streams, and the last output to arrive. */
const SETTLE_MS = 10_000;
const LAST_OUTPUT_MS = 100;
/** What an exec may end with when its sandbox dies: not started any more, killed with it, or lost by runsc's waiter. */
const MAY_BE_DEATH: readonly number[] = [126, 137, 128];
const DEATH_NEWS_MS = 500;

export interface ExecTarget extends Life {
  readonly container: Docker.Container;
}

/** `privileged` is for the server's own commands only (see `killAll`), never for what an agent or user asks for. */
export interface ExecUser {
  readonly user: string;
  readonly privileged: boolean;
}

const AGENT: ExecUser = { user: `${AGENT_UID}:${AGENT_UID}`, privileged: false };

/**
 * Starts a process in a running sandbox. A program that cannot be started is, as in a shell, exit code 126 or 127 with
 * the reason in the output.
 *
 * Both outputs must be read (or `resume()`d): they share one connection, and `exit` settles after its end.
 * The engine does not end the streams of a sandbox that dies (measured: out of memory), so its own exit is watched too.
 */
export async function startProcess(
  target: ExecTarget,
  argv: readonly string[],
  options: ExecOptions,
  as: ExecUser = AGENT,
): Promise<SandboxProcess> {
  const { signal, tty } = options;
  signal?.throwIfAborted();
  const exec = await withDeadline(
    target.container.exec({
      Cmd: tty ? sized(argv, tty) : [...argv],
      AttachStdin: true,
      AttachStdout: true,
      AttachStderr: true,
      Tty: tty !== undefined,
      User: as.user,
      Privileged: as.privileged,
      WorkingDir: options.cwd ?? '/workspace',
      Env: Object.entries(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
    }),
    START_DEADLINE_MS,
    'Preparing a process in the sandbox',
  );
  const stream = await withDeadline(
    exec.start({ hijack: true, stdin: true, Tty: tty !== undefined }),
    START_DEADLINE_MS,
    'Starting a process in the sandbox',
  );
  // Errors of the connection show up as the end of the output and as the rejected exit.
  stream.on('error', () => undefined);
  const resize = (columns: number, rows: number): Promise<void> =>
    withDeadline(exec.resize({ h: rows, w: columns }) as Promise<void>, SETTLE_MS, 'Resizing the terminal');
  const output = splitOutput(stream, tty !== undefined);
  const exit = watchProcess(target, exec, stream, output.ended, signal);
  // Whoever only reads the streams need not handle the exit as well.
  exit.catch(() => undefined);
  return { stdin: inputOf(stream), stdout: output.stdout, stderr: output.stderr, exit, resize };
}

/**
 * The engine can give a terminal its size only once the process runs, which may by then have asked for it and seen 0 × 0.
 * So the terminal sets its own before it becomes the program.
 */
function sized(argv: readonly string[], { columns, rows }: { columns: number; rows: number }): string[] {
  const script = 'stty cols "$1" rows "$2"; shift 2; exec "$@"';
  return ['/bin/sh', '-c', script, 'terminal', String(columns), String(rows), ...argv];
}

/** Exactly one of three ends: the process's own, the sandbox's death, or the caller's abort. */
async function watchProcess(
  target: ExecTarget,
  exec: Docker.Exec,
  stream: Duplex,
  ended: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
  const died = target.exited.then(async (exit): Promise<never> => {
    await Promise.race([ended, sleep(LAST_OUTPUT_MS)]);
    throw deathOf(exit);
  });
  try {
    return await Promise.race([aborted, died, ended.then(() => exitCode(exec, target))]);
  } finally {
    if (onAbort) signal?.removeEventListener('abort', onAbort);
    stream.destroy();
  }
}

async function exitCode(exec: Docker.Exec, target: ExecTarget): Promise<number> {
  for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline; await sleep(10)) {
    const state = await withDeadline(exec.inspect(), SETTLE_MS, 'Asking for an exit code').catch((error: unknown) => {
      // The engine is gone, or the container: then the sandbox's exit says why, if it comes.
      return messageOf(error);
    });
    if (typeof state === 'string') {
      if (await diesWithin(target, SETTLE_MS)) throw deathOf(await target.exited);
      throw new CaissonError('sandbox_unavailable', `The exit code is unknown: ${state}`);
    }
    if (state.Running || state.ExitCode === null) continue;
    if (MAY_BE_DEATH.includes(state.ExitCode) && (await diesWithin(target, DEATH_NEWS_MS)))
      throw deathOf(await target.exited);
    return state.ExitCode;
  }
  throw new CaissonError('sandbox_unavailable', 'The engine closed the streams of a process that it says still runs.');
}

/** A process that was killed may have died with the whole sandbox, whose end is reported a moment later. */
async function diesWithin(target: ExecTarget, ms: number): Promise<boolean> {
  return Promise.race([target.gone.then(() => true), sleep(ms, false, { ref: false })]);
}

function deathOf(exit: SandboxExit): CaissonError {
  const why: Record<SandboxExit['reason'], string> = {
    exited: `The sandbox died (exit code ${exit.exitCode ?? 'unknown'}).`,
    out_of_memory: 'The sandbox used more memory than it may and was killed.',
    destroyed: 'The sandbox was destroyed.',
    engine_lost: 'The container engine stopped or lost the sandbox.',
  };
  return new CaissonError('sandbox_unavailable', why[exit.reason]);
}

/** Ending it closes the process's stdin. Writing to a process that has ended is no error: its exit tells. */
function inputOf(stream: Duplex): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      if (stream.destroyed || stream.writableEnded) done();
      else stream.write(chunk, () => done());
    },
    final(done) {
      if (stream.destroyed) done();
      else stream.end(() => done());
    },
  });
}
