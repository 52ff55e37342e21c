import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { EventData } from '../../shared/protocol/events.ts';
import { createCoalescer } from '../acp/coalescer.ts';
import { untilAborted, withDeadline } from '../base/lifecycle.ts';
import type { ExecOptions, Sandbox } from '../sandbox/sandbox.ts';
import type { Redactor } from '../vault/redactor.ts';
import type { RunLog } from './run-log.ts';
import { RunEnd } from './run-end.ts';

type StepName = EventData<'sandbox.step'>['step'];

export interface Captured {
  readonly exitCode: number;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/**
 * Runs a short command of our own and keeps its output.
 * @throws {RunEnd} when it says more than `maxBytes` (it is untrusted: the agent may have replaced what it reads)
 */
export async function capture(
  sandbox: Sandbox,
  argv: readonly string[],
  options: {
    stdin?: Readable;
    env?: Record<string, string>;
    maxBytes: number;
    deadlineMs: number;
    signal: AbortSignal;
    what: string;
  },
): Promise<Captured> {
  const controller = new AbortController();
  const signal = AbortSignal.any([options.signal, controller.signal]);
  const exec: ExecOptions = { signal, ...(options.env ? { env: options.env } : {}) };
  try {
    const process = await sandbox.exec(argv, exec);
    const fed = feed(process.stdin, options.stdin, signal);
    const work = Promise.all([
      collect(process.stdout, options.maxBytes, options.what),
      collect(process.stderr, 64 * 1024, options.what, true),
      process.exit,
      fed,
    ]);
    const [stdout, stderr, exitCode] = await untilAborted(
      withDeadline(work, options.deadlineMs, options.what),
      options.signal,
    );
    return { exitCode, stdout, stderr: stderr.toString('utf8') };
  } finally {
    controller.abort();
  }
}

/** Writes the input, or ends it at once. A command that stops reading early is no error: its exit code speaks. */
async function feed(stdin: NodeJS.WritableStream, source: Readable | undefined, signal: AbortSignal): Promise<void> {
  if (!source) {
    stdin.end();
    return;
  }
  try {
    await pipeline(source, stdin, { signal });
  } catch (error) {
    if (!isClosedPipe(error)) throw error;
  }
}

function isClosedPipe(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    ['EPIPE', 'ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ERR_STREAM_DESTROYED'].includes(String(error.code))
  );
}

async function collect(stream: Readable, maxBytes: number, what: string, cut = false): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    if (size + chunk.length > maxBytes) {
      if (!cut) throw RunEnd.failed('result_failed', `${what} said more than ${maxBytes} bytes.`);
      chunks.push(chunk.subarray(0, maxBytes - size));
      size = maxBytes;
      continue;
    }
    size += chunk.length;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * Runs a person's script, whose output people want to see as it comes.
 * @returns its exit code
 */
export async function runScript(
  sandbox: Sandbox,
  log: RunLog,
  options: {
    step: StepName;
    script: string;
    env: Record<string, string>;
    redactor: Redactor;
    signal: AbortSignal;
  },
): Promise<number> {
  const { step, signal } = options;
  const startedAt = performance.now();
  await log.emit({ type: 'sandbox.step', actor: 'server', data: { step, phase: 'started' } });
  // gVisor does not report the program that the engine itself starts, so that is `env`, which then starts the script's
  // shell where the witness sees it (measured on runsc 2024-07).
  const process = await sandbox.exec(['/usr/bin/env', '--', 'bash', '-c', options.script], {
    env: options.env,
    signal,
  });
  process.stdin.end();
  const [exitCode] = await untilAborted(
    Promise.all([
      process.exit,
      forward(process.stdout, log, step, 'stdout', options.redactor),
      forward(process.stderr, log, step, 'stderr', options.redactor),
    ]),
    signal,
  );
  const ms = Math.round(performance.now() - startedAt);
  await log.emit({ type: 'sandbox.step', actor: 'server', data: { step, phase: 'finished', exitCode, ms } });
  return exitCode;
}

/** Each stream has a coalescer of its own: text of the other one must not end the search for a split secret. */
async function forward(
  stream: Readable,
  log: RunLog,
  step: StepName,
  name: 'stdout' | 'stderr',
  redactor: Redactor,
): Promise<void> {
  const failure: { error?: unknown } = {};
  const coalescer = createCoalescer<'text'>({
    write: (_channel, text) => log.emit({ type: 'sandbox.output', actor: 'agent', data: { step, stream: name, text } }),
    redactor: () => redactor.stream(),
    onError: (error) => (failure.error = error),
  });
  const decoder = new TextDecoder('utf-8');
  for await (const chunk of stream as AsyncIterable<Buffer>)
    await coalescer.push('text', decoder.decode(chunk, { stream: true }));
  await coalescer.push('text', decoder.decode());
  await coalescer.flush();
  if (failure.error !== undefined) throw failure.error;
}
