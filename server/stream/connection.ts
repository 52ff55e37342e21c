import type { Duplex } from 'node:stream';
import type { RawData, WebSocket } from 'ws';
import { CaissonError, type ErrorCode } from '../../shared/protocol/errors.ts';
import { CLOSE_CODES, clientMessage, type ClientMessage } from '../../shared/protocol/stream.ts';
import type { Logger } from '../base/logger.ts';
import type { EventLog } from '../events/ports.ts';
import { encodeEvent, encodeMessage } from './encode.ts';
import { followRun } from './outbox.ts';
import type { SandboxProcess } from '../sandbox/sandbox.ts';
import { createSocketWriter } from './socket-writer.ts';
import { createTerminals, type TerminalSize } from './terminals.ts';

/** Who is at the other end. The stream itself needs to know no more than this. */
export interface StreamIdentity {
  readonly keyId: string;
  /** Milliseconds since 1970, when the key stops working. */
  readonly expiresAt: number | undefined;
}

/** What a client may do besides listening. Each throws a CaissonError that the client is told. */
export interface StreamActions<I extends StreamIdentity> {
  /** @throws {CaissonError} `not_found` or `forbidden` when this identity may not read the run */
  checkReadable(identity: I, runId: string): Promise<void>;
  sendMessage(identity: I, runId: string, text: string): Promise<void>;
  approve(identity: I, runId: string, approvalId: string, optionId: string): Promise<void>;
  /** A shell in the sandbox of an active run; aborting the signal ends it. */
  openTerminal(
    identity: I,
    runId: string,
    terminalId: string,
    size: TerminalSize,
    signal: AbortSignal,
  ): Promise<SandboxProcess>;
}

export interface ConnectionOptions<I extends StreamIdentity> {
  readonly webSocket: WebSocket;
  readonly socket: Duplex;
  readonly identity: I;
  readonly log: Pick<EventLog, 'range' | 'subscribe'>;
  readonly actions: StreamActions<I>;
  readonly maxSubscriptions: number;
  readonly logger: Logger;
}

export interface Connection<I extends StreamIdentity> {
  readonly identity: I;
  /** False when nothing, not even a pong, has come since the last call. */
  heardSinceLastCall(): boolean;
  ping(): void;
  /** Says goodbye, and cuts the connection where the other side does not answer within `graceMs`. */
  close(code: number, reason: string, graceMs: number): void;
}

/** Messages that may wait for their turn; whoever sends more is not waiting for answers. */
const MAX_PENDING = 64;

/** Serves one accepted WebSocket: reads its messages one after the other, and pumps each subscription into it. */
export function serveConnection<I extends StreamIdentity>(options: ConnectionOptions<I>): Connection<I> {
  const { webSocket, socket, identity, log, actions, logger } = options;
  const writer = createSocketWriter(webSocket, socket);
  const subscriptions = new Map<string, AbortController>();
  const terminals = createTerminals({
    writer,
    open: (runId, terminalId, size, signal) => actions.openTerminal(identity, runId, terminalId, size, signal),
  });
  let heard = true;
  let pending = 0;
  let turn = Promise.resolve();

  const sendError = (code: ErrorCode, message: string, runId?: string): void =>
    writer.write(encodeMessage({ type: 'error', code, message, ...(runId === undefined ? {} : { runId }) }));

  /** Tells the client what it may know of an error, and the operator the rest. */
  const report = (error: unknown, runId?: string): void => {
    if (error instanceof CaissonError && error.code !== 'internal') sendError(error.code, error.message, runId);
    else {
      logger.error({ err: error, runId }, 'a stream request failed');
      sendError('internal', 'Something went wrong in the server. Its log says what.', runId);
    }
  };

  const pump = async (runId: string, after: number, signal: AbortSignal): Promise<void> => {
    for await (const item of followRun({ log, runId, after, signal })) {
      if (signal.aborted) return;
      if (item.type !== 'events') {
        writer.write(encodeMessage({ type: item.type, runId, seq: item.seq }));
        continue;
      }
      for (const event of item.events) {
        writer.write(encodeEvent(event));
        await writer.drained();
        if (signal.aborted) return;
      }
    }
  };

  const unsubscribe = (runId: string): void => {
    subscriptions.get(runId)?.abort();
    subscriptions.delete(runId);
  };

  const subscribe = async (runId: string, after: number): Promise<void> => {
    await actions.checkReadable(identity, runId);
    unsubscribe(runId);
    if (subscriptions.size >= options.maxSubscriptions) {
      const message = `One connection follows at most ${options.maxSubscriptions} runs. Open another, or unsubscribe.`;
      throw new CaissonError('rate_limited', message);
    }
    // The connection may have closed while the run was looked up.
    if (webSocket.readyState !== webSocket.OPEN) return;
    const abort = new AbortController();
    subscriptions.set(runId, abort);
    void pump(runId, after, abort.signal).catch((error: unknown) => {
      if (subscriptions.get(runId) === abort) subscriptions.delete(runId);
      report(error, runId);
    });
  };

  const act = async (message: ClientMessage): Promise<void> => {
    switch (message.type) {
      case 'subscribe':
        return await subscribe(message.runId, message.after);
      case 'unsubscribe':
        return unsubscribe(message.runId);
      case 'message':
        return await actions.sendMessage(identity, message.runId, message.text);
      case 'approve':
        return await actions.approve(identity, message.runId, message.approvalId, message.optionId);
      case 'terminal_open':
      case 'terminal_input':
      case 'terminal_resize':
      case 'terminal_close':
        return await terminals.receive(message);
    }
  };

  const receive = async (data: RawData, binary: boolean): Promise<void> => {
    const parsed = binary ? undefined : parseMessage(data);
    if (!parsed?.success) {
      const issue = parsed?.error.issues[0];
      const detail = issue ? `: ${issue.path.join('.')} ${issue.message}` : '';
      return sendError('invalid_request', `This is not a message of the stream protocol${detail}`);
    }
    const runId = 'runId' in parsed.data ? parsed.data.runId : undefined;
    await act(parsed.data).catch((error: unknown) => report(error, runId));
  };

  const close = (code: number, reason: string, graceMs: number): void => {
    webSocket.close(code, reason);
    setTimeout(() => webSocket.terminate(), graceMs).unref();
  };

  webSocket.on('message', (data, binary) => {
    heard = true;
    if (++pending > MAX_PENDING) return close(CLOSE_CODES.too_many, 'too many messages at once', 1000);
    turn = turn.then(() => receive(data, binary)).finally(() => pending--);
  });
  webSocket.on('pong', () => (heard = true));
  // A broken frame or connection; ws closes by itself, and `close` follows.
  webSocket.on('error', (error) => logger.debug({ err: error, keyId: identity.keyId }, 'a stream connection failed'));
  webSocket.on('close', () => {
    for (const subscription of subscriptions.values()) subscription.abort();
    subscriptions.clear();
    terminals.closeAll();
  });

  return {
    identity,
    heardSinceLastCall() {
      const before = heard;
      heard = false;
      return before;
    },
    ping: () => webSocket.ping(),
    close,
  };
}

function parseMessage(data: RawData) {
  // With ws's default binaryType a message is one Buffer.
  return clientMessage.safeParse(parseJson((data as Buffer).toString('utf8')));
}

/** Undefined, which is no message either, for text that is not JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
