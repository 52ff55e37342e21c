import { Readable } from 'node:stream';
import { noPaint } from '../../server/cli/output/paint.ts';
import type { Terminal } from '../../server/cli/terminal.ts';

export interface TerminalDouble extends Terminal {
  /** What went to stdout and to stderr, line by line. */
  readonly stdout: string[];
  readonly notes: string[];
  readonly exits: number[];
  /** Presses Ctrl-C. */
  interrupt(): void;
}

/** A user who is not at a terminal: pipes on both sides. */
export function terminalDouble(
  options: { env?: NodeJS.ProcessEnv; cwd?: string; stdin?: string } = {},
): TerminalDouble {
  const listeners = new Set<() => void>();
  const double: TerminalDouble = {
    env: options.env ?? {},
    cwd: options.cwd ?? process.cwd(),
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout: [],
    notes: [],
    exits: [],
    out: async (text) => void double.stdout.push(...text.split('\n')),
    note: (text) => void double.notes.push(...text.split('\n')),
    progress: () => undefined,
    write: async (bytes) => void double.stdout.push(Buffer.from(bytes).toString('latin1')),
    paint: noPaint,
    notePaint: noPaint,
    interactive: false,
    onInterrupt: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exit: (code) => void double.exits.push(code),
    interrupt: () => listeners.forEach((listener) => listener()),
  };
  return double;
}
