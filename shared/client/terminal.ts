import { CaissonError } from '../protocol/errors.ts';
import { CLOSE_CODES, serverMessage, type ClientMessage } from '../protocol/stream.ts';
import { STREAM_SUBPROTOCOL } from '../protocol/version.ts';
import { streamUrl } from './stream-url.ts';
import type { OpenSocket, Socket } from './socket.ts';

export interface TerminalSize {
  readonly columns: number;
  readonly rows: number;
}

export interface TerminalHandlers {
  output(text: string): void;
  /** Called once. `message` says why where it was not the shell's own end. */
  ended(exitCode: number | null, message?: string): void;
}

/** A shell in a run's sandbox. It ends with its connection: there is nothing to come back to. */
export interface Terminal {
  input(text: string): void;
  resize(size: TerminalSize): void;
  close(): void;
}

const HANDSHAKE_TIMEOUT_MS = 15_000;
const MAX_INPUT = 32_768;
const ID = 'shell';

/** Opens a WebSocket of its own, so that a flood of output never delays the events. */
export function openTerminal(
  connection: { readonly base: URL; readonly apiKey: string; readonly openSocket: OpenSocket | undefined },
  runId: string,
  size: TerminalSize,
  handlers: TerminalHandlers,
): Terminal {
  const { base, apiKey, openSocket } = connection;
  if (!openSocket)
    throw new CaissonError('invalid_request', 'This client was made without `openSocket`, so it cannot open terminals');
  let ended = false;
  let open = false;
  let latest = size;
  const waiting: ClientMessage[] = [];
  const end = (exitCode: number | null, message?: string): void => {
    if (ended) return;
    ended = true;
    handlers.ended(exitCode, message);
    socket.close();
  };
  const send = (message: ClientMessage): void => {
    if (ended) return;
    if (open) socket.send(JSON.stringify(message));
    else waiting.push(message);
  };
  const socket: Socket = openSocket(
    {
      url: streamUrl(base),
      protocol: STREAM_SUBPROTOCOL,
      headers: { authorization: `Bearer ${apiKey}` },
      handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
    },
    {
      opened: () => {
        open = true;
        socket.send(
          JSON.stringify({ type: 'terminal_open', runId, terminalId: ID, ...latest } satisfies ClientMessage),
        );
        for (const message of waiting.splice(0)) socket.send(JSON.stringify(message));
      },
      alive: () => undefined,
      message: (text) => {
        const parsed = serverMessage.safeParse(parseJson(text));
        if (!parsed.success) return;
        const message = parsed.data;
        if (message.type === 'terminal_output') handlers.output(message.text);
        else if (message.type === 'terminal_ended') end(message.exitCode, message.message);
        else if (message.type === 'error') end(null, message.message);
      },
      closed: ({ code }) =>
        end(
          null,
          code === CLOSE_CODES.unauthorized ? 'The API key does not work any more.' : 'The connection was lost.',
        ),
    },
  );
  return {
    input: (text) => {
      for (let at = 0; at < text.length; at += MAX_INPUT)
        send({ type: 'terminal_input', terminalId: ID, text: text.slice(at, at + MAX_INPUT) });
    },
    resize: (next) => {
      latest = next;
      if (open) send({ type: 'terminal_resize', terminalId: ID, ...next });
    },
    close: () => {
      send({ type: 'terminal_close', terminalId: ID });
      end(null);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
