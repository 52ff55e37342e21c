import { createInterface, type Interface } from 'node:readline/promises';
import type { Readable, Writable } from 'node:stream';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { colorPaint, noPaint, wantsColor, type Paint } from './output/paint.ts';

/** The user's side of the command line: streams, what they can do, and the signals. Tests bring their own. */
export interface Terminal {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  readonly stdin: Readable & { readonly isTTY?: boolean };
  /** Results: what a script reads. */
  out(line: string): Promise<void>;
  /** Progress and advice: what a person reads beside the results. */
  note(line: string): void;
  /** A line of progress that the next one overwrites; nothing where stderr is not a terminal. */
  progress(text: string): void;
  /** Bytes to stdout as they are. */
  write(bytes: Uint8Array): Promise<void>;
  /** For stdout and for stderr, each of which may be a terminal or not. */
  readonly paint: Paint;
  readonly notePaint: Paint;
  readonly interactive: boolean;
  /** Calls `listener` on Ctrl-C and on a polite kill. Returns the function that stops it. */
  onInterrupt(listener: () => void): () => void;
  /** Ends at once, for a user who has asked twice. */
  exit(code: number): void;
}

export function processTerminal(): Terminal {
  const { env, stdout, stderr, stdin } = process;
  const notePaint = wantsColor(env, stderr.isTTY) ? colorPaint : noPaint;
  let overwritten = false;
  const clear = () => {
    if (overwritten) stderr.write('\r\u001b[K');
    overwritten = false;
  };
  return {
    env,
    cwd: process.cwd(),
    stdin,
    out: (line) => {
      clear();
      return send(stdout, `${line}\n`);
    },
    note: (line) => {
      clear();
      stderr.write(`${line}\n`);
    },
    progress: (text) => {
      if (!stderr.isTTY) return;
      clear();
      stderr.write(text);
      overwritten = text !== '';
    },
    write: (bytes) => send(stdout, bytes),
    paint: wantsColor(env, stdout.isTTY) ? colorPaint : noPaint,
    notePaint,
    interactive: stdin.isTTY && stderr.isTTY,
    onInterrupt: (listener) => {
      process.on('SIGINT', listener).on('SIGTERM', listener);
      return () => process.off('SIGINT', listener).off('SIGTERM', listener);
    },
    exit: (code) => process.exit(code),
  };
}

/** Waits where the reader is slow, so that a long log is not piled up in memory. */
function send(stream: Writable, data: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** All of stdin as text; at most `max` bytes, because it becomes one request. */
export async function readAll(stdin: Readable, max: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > max) throw new CaissonError('invalid_request', `What came on stdin is longer than ${max} bytes.`);
    chunks.push(Buffer.from(chunk));
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Asks on the terminal; what is typed is shown, or not. Undefined at the end of the input. */
export async function ask(
  terminal: Terminal,
  question: string,
  options: { hidden?: boolean; signal?: AbortSignal } = {},
): Promise<string | undefined> {
  const { Writable: WritableStream } = await import('node:stream');
  // Readline echoes what is typed to its output; for a secret that output leads nowhere.
  const nowhere = new WritableStream({ write: (_chunk, _encoding, done) => done() });
  const prompt: Interface = createInterface({
    input: terminal.stdin,
    output: options.hidden ? nowhere : process.stderr,
    terminal: terminal.interactive,
  });
  if (options.hidden) process.stderr.write(question);
  try {
    return await new Promise<string | undefined>((resolve, reject) => {
      prompt.once('close', () => resolve(undefined));
      // In raw mode Ctrl-C is a key; it has to become the signal again that everything else listens to.
      prompt.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
      const answer = options.signal
        ? prompt.question(options.hidden ? '' : question, { signal: options.signal })
        : prompt.question(options.hidden ? '' : question);
      answer.then(resolve, (error: unknown) => (options.signal?.aborted ? resolve(undefined) : reject(error as Error)));
    });
  } finally {
    prompt.close();
    if (options.hidden) process.stderr.write('\n');
  }
}
