import { CaissonError } from '../../shared/protocol/errors.ts';
import type { ClientMessage } from '../../shared/protocol/stream.ts';
import { messageOf } from '../base/lifecycle.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { encodeMessage } from './encode.ts';
import type { SocketWriter } from './socket-writer.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

type TerminalMessage = Extract<ClientMessage, { terminalId: string }>;

/** The shells that one connection has open. They end with it. */
export interface Terminals {
  receive(message: TerminalMessage): Promise<void>;
  closeAll(): void;
}

const MAX_TERMINALS = 8;
/** Bytes of input that may wait for a shell which does not read; then the terminal is closed. */
const MAX_WAITING_INPUT = 1024 * 1024;

export function createTerminals(options: {
  readonly writer: SocketWriter;
  readonly open: (
    runId: string,
    terminalId: string,
    size: TerminalSize,
    signal: AbortSignal,
  ) => Promise<SandboxProcess>;
}): Terminals {
  const { writer, open } = options;
  const terminals = new Map<string, { readonly shell: SandboxProcess; readonly abort: AbortController }>();

  const end = (terminalId: string, exitCode: number | null, message?: string): void => {
    terminals.delete(terminalId);
    writer.write(
      encodeMessage({ type: 'terminal_ended', terminalId, exitCode, ...(message === undefined ? {} : { message }) }),
    );
  };

  const pump = async (terminalId: string, shell: SandboxProcess): Promise<void> => {
    const decoder = new TextDecoder('utf-8');
    for await (const chunk of shell.stdout as AsyncIterable<Buffer>) {
      const text = decoder.decode(chunk, { stream: true });
      if (text !== '') writer.write(encodeMessage({ type: 'terminal_output', terminalId, text }));
      await writer.drained();
    }
    end(terminalId, await shell.exit);
  };

  const start = async (message: Extract<TerminalMessage, { type: 'terminal_open' }>): Promise<void> => {
    const { terminalId, runId, columns, rows } = message;
    if (terminals.has(terminalId)) throw new CaissonError('conflict', `There is already a terminal ${terminalId}.`);
    if (terminals.size >= MAX_TERMINALS)
      throw new CaissonError('rate_limited', `One connection has at most ${MAX_TERMINALS} terminals.`);
    const abort = new AbortController();
    const shell = await open(runId, terminalId, { columns, rows }, abort.signal);
    terminals.set(terminalId, { shell, abort });
    // A shell whose input breaks ends by itself; its output says so.
    shell.stdin.on('error', () => undefined);
    writer.write(encodeMessage({ type: 'terminal_opened', terminalId }));
    pump(terminalId, shell).catch((error: unknown) => end(terminalId, null, messageOf(error)));
  };

  return {
    async receive(message) {
      if (message.type === 'terminal_open') {
        // A refusal has to name the terminal, or the one who waits for it would wait for ever.
        return start(message).catch((error: unknown) =>
          end(
            message.terminalId,
            null,
            error instanceof CaissonError ? error.message : 'The shell could not be started.',
          ),
        );
      }
      const terminal = terminals.get(message.terminalId);
      // It may have ended while the message was on its way.
      if (!terminal) return;
      const { shell, abort } = terminal;
      if (message.type === 'terminal_resize') return shell.resize(message.columns, message.rows);
      if (message.type === 'terminal_close') return abort.abort(new Error('closed'));
      shell.stdin.write(message.text);
      if (shell.stdin.writableLength > MAX_WAITING_INPUT) abort.abort(new Error('the shell does not read its input'));
    },
    closeAll() {
      for (const { abort } of terminals.values()) abort.abort(new Error('the connection has ended'));
      terminals.clear();
    },
  };
}
