import type { Command } from 'commander';
import type { Client } from '../../shared/client/client.ts';
import { EXIT, Interrupted } from './exit.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets: the user's terminal and, when it asks for it, a client of the configured server. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** Made at the first call, so that help and offline commands load neither the client nor the credentials. */
  readonly client: () => Promise<Client>;
  /**
   * Aborts with the first Ctrl-C; the second ends the program. A command that never asks for it is ended by the first,
   * as programs are by default.
   */
  readonly signal: AbortSignal;
}

export type Action<A extends unknown[]> = (context: CommandContext, ...args: A) => Promise<number>;

/** Wraps a command's action: makes its context, sets the exit code, releases the client. Errors go to main.ts. */
export type Bind = <A extends unknown[]>(action: Action<A>) => (...args: A) => Promise<void>;

export type Register = (program: Command, bind: Bind) => void;

export function binder(terminal: Terminal, setExitCode: (code: number) => void, userAgent: string): Bind {
  return (action) =>
    async (...args) => {
      let made: Promise<Client> | undefined;
      const interrupt = new AbortController();
      let stop: (() => void) | undefined;
      const onInterrupt = () => {
        if (interrupt.signal.aborted) terminal.exit(EXIT.interrupted);
        interrupt.abort(new Interrupted('interrupted'));
      };
      try {
        const context: CommandContext = {
          terminal,
          client: () => (made ??= connect(terminal, userAgent)),
          get signal() {
            stop ??= terminal.onInterrupt(onInterrupt);
            return interrupt.signal;
          },
        };
        setExitCode(await action(context, ...args));
      } finally {
        stop?.();
        (await made?.catch(() => undefined))?.close();
      }
    };
}

async function connect(terminal: Terminal, userAgent: string): Promise<Client> {
  const [{ createClient }, { openWsSocket }, { readSettings }] = await Promise.all([
    import('../../shared/client/client.ts'),
    import('../../shared/client/ws-socket.ts'),
    import('./settings.ts'),
  ]);
  return createClient({ ...(await readSettings(terminal.env)), openSocket: openWsSocket, userAgent });
}
