import type { Readable } from 'node:stream';
import { untilAborted, withDeadline } from '../base/lifecycle.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { createCoalescer, type Coalescer } from './coalescer.ts';
import type { AgentSession, SessionContext, TurnResult } from './session.ts';

export interface ShellSessionOptions extends SessionContext {
  /** Starts a program in `/workspace`. */
  readonly start: (argv: readonly string[]) => Promise<SandboxProcess>;
  readonly instructions?: string;
}

/**
 * Bash reads the script from its own stdin into a variable and runs it with nothing on stdin: a script of any length
 * fits (one argument holds 128 KiB at most), it is not an argument that `ps` or the kernel's account would repeat, and a
 * program inside that reads stdin finds it empty instead of eating the rest of the script. `env` is there for the
 * kernel's account: gVisor reports no execve for a program that the engine's exec starts directly.
 */
const RUN_SCRIPT = [
  '/usr/bin/env',
  '--',
  '/bin/bash',
  '-c',
  'script=$(cat; printf .); exec </dev/null; eval "${script%.}"',
] as const;

/** How long the streams may take to end after their process has; a child in the background can hold them open. */
const STREAMS_MS = 1000;
const CANCEL_MS = 2000;

/** The `shell` agent: each prompt is a script. Its stdout is what the agent says. */
export async function createShellSession(options: ShellSessionOptions): Promise<AgentSession> {
  const { emit, start } = options;
  await emit({ type: 'agent.started', actor: 'agent', data: { name: 'shell', protocol: 'shell' } });
  let current: SandboxProcess | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  async function run(script: string): Promise<TurnResult> {
    const process = await start(RUN_SCRIPT);
    current = process;
    let failed: (error: unknown) => void = () => undefined;
    const logFailure = new Promise<never>((_, reject) => (failed = reject));
    logFailure.catch(() => undefined); // It is awaited below, and only if it comes first.
    const coalescer = (type: 'agent.message' | 'agent.stderr') =>
      createCoalescer<typeof type>({
        write: (channel, text) => emit({ type: channel, actor: 'agent', data: { text } }),
        redactor: options.streamRedactor,
        onError: failed,
      });
    const [out, err] = [coalescer('agent.message'), coalescer('agent.stderr')];
    process.stdin.on('error', () => undefined); // A script that ends the shell at once has not read all of itself.
    process.stdin.end(script);
    const streams = Promise.all([
      pump(process.stdout, 'agent.message', out),
      pump(process.stderr, 'agent.stderr', err),
    ]);
    streams.catch(() => undefined); // Awaited below, behind the exit.
    try {
      const exitCode = await Promise.race([process.exit, logFailure]);
      // The pumps wait for the log, so as long as output is moving there is no reason to give up on it.
      await Promise.race([streams, quiet(process), logFailure]);
      await Promise.all([out.flush(), err.flush()]);
      return { stopReason: 'end_turn', exitCode };
    } finally {
      current = undefined;
      release(process);
    }
  }

  return {
    prompt: async (script, signal) => {
      signal.throwIfAborted();
      const running = run(script);
      turn = running;
      running.catch(() => undefined); // It may fail after the signal has ended this wait.
      try {
        return await untilAborted(running, signal);
      } catch (error) {
        if (signal.aborted && current) release(current);
        throw error;
      }
    },
    cancel: async () => {
      // A script has no way to be asked; whoever cancels kills it with its sandbox.
      await withDeadline(turn, CANCEL_MS, 'The script').catch(() => undefined);
    },
    close: () => {
      if (current) release(current);
      return Promise.resolve();
    },
  };
}

async function pump<C extends string>(stream: Readable, channel: C, into: Coalescer<C>): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) await into.push(channel, decoder.decode(chunk as Buffer, { stream: true }));
  await into.push(channel, decoder.decode());
}

/** Resolves when an ended process's streams have carried nothing for a while. */
function quiet(process: SandboxProcess): Promise<void> {
  return new Promise((resolve) => {
    const streams = [process.stdout, process.stderr];
    // What was read and not taken yet waits for the log; that is no silence.
    const check = () => (streams.some((stream) => stream.readableLength > 0) ? timer.refresh() : resolve());
    const timer = setTimeout(check, STREAMS_MS);
    for (const stream of streams) {
      stream.on('data', () => timer.refresh());
      stream.on('close', () => clearTimeout(timer));
    }
  });
}

function release(process: SandboxProcess): void {
  process.stdin.destroy();
  process.stdout.destroy();
  process.stderr.destroy();
}
