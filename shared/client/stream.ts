import { CaissonError, type ErrorCode } from '../protocol/errors.ts';
import { HEARTBEAT_MS, serverMessage, type ClientMessage, type ServerMessage } from '../protocol/stream.ts';
import { STREAM_SUBPROTOCOL } from '../protocol/version.ts';
import { streamUrl } from './stream-url.ts';
import { receiveEvent, type ClientEvent } from './event.ts';
import { Feed, type Subscriber } from './feed.ts';
import {
  RECONNECT_LIMITS,
  reconnect,
  type ConnectionEvent,
  type ConnectionState,
  type ReconnectLimits,
} from './reconnect.ts';
import type { OpenSocket, Socket } from './socket.ts';

export interface StreamOptions {
  /** The server's address, checked. */
  readonly base: URL;
  readonly apiKey: string;
  readonly openSocket: OpenSocket;
  readonly limits?: ReconnectLimits;
}

export interface Subscription {
  close(): void;
}

const HANDSHAKE_TIMEOUT_MS = 15_000;
/** Two missed heartbeats and some slack: one can be late on a busy machine. */
const SILENCE_MS = 2 * HEARTBEAT_MS + 5_000;
const WATCH_MS = 5_000;
const STALL_MS = 30_000;

/** These end a subscription; the others (a message to a run that has ended, say) are told and change nothing. */
const ENDING: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'unauthenticated',
  'forbidden',
  'not_found',
  'gone',
  'internal',
  'unavailable',
]);

/**
 * One WebSocket for any number of runs. It opens with the first subscription, closes after the last, and restores
 * every subscription from its last event after a disconnection.
 */
export class RunStream {
  readonly #options: StreamOptions;
  readonly #feeds = new Map<string, Feed>();
  readonly #statusListeners = new Set<(state: ConnectionState) => void>();
  readonly #problemListeners = new Set<(problem: CaissonError, runId: string | undefined) => void>();
  #state: ConnectionState = { phase: 'idle' };
  #socket: Socket | null = null;
  #waitTimer: ReturnType<typeof setTimeout> | undefined;
  #watchTimer: ReturnType<typeof setInterval> | undefined;
  #heardAt = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Delivers every event of the run with `seq > after`, in order, each once, until closed or `ended` is called. */
  subscribe(runId: string, after: number, subscriber: Subscriber): Subscription {
    const feed = this.#feeds.get(runId) ?? new Feed();
    const remove = feed.add(after, subscriber);
    const known = this.#feeds.has(runId);
    this.#feeds.set(runId, feed);
    if (this.#state.phase === 'closed') this.#state = { phase: 'idle' };
    if (this.#state.phase === 'idle') this.#happened({ type: 'start' });
    else if (this.#state.phase === 'open') this.#subscribeAgain(runId, feed, known);
    return {
      close: () => {
        remove();
        if (feed.empty) this.#forget(runId, feed);
      },
    };
  }

  /** @throws {CaissonError} `unavailable` while there is no connection; a message is not kept for later */
  sendMessage(runId: string, text: string): void {
    this.#sendNow({ type: 'message', runId, text });
  }

  /** @throws {CaissonError} `unavailable` while there is no connection */
  approve(runId: string, approvalId: string, optionId: string): void {
    this.#sendNow({ type: 'approve', runId, approvalId, optionId });
  }

  /** Calls `listener` with each change of the connection. Returns the function that stops it. */
  onStatus(listener: (state: ConnectionState) => void): () => void {
    this.#statusListeners.add(listener);
    return () => this.#statusListeners.delete(listener);
  }

  /** Calls `listener` with what the server refused and no subscription ended of. */
  onProblem(listener: (problem: CaissonError, runId: string | undefined) => void): () => void {
    this.#problemListeners.add(listener);
    return () => this.#problemListeners.delete(listener);
  }

  /** Ends the connection and, without an error, every subscription. */
  close(): void {
    this.#happened({ type: 'stop' });
  }

  #happened(event: ConnectionEvent): void {
    const { state, effects } = reconnect(this.#state, event, this.#options.limits ?? RECONNECT_LIMITS);
    const changed = state !== this.#state;
    this.#state = state;
    for (const effect of effects) {
      if (effect.type === 'connect') this.#connect();
      else if (effect.type === 'drop') this.#drop();
      else this.#waitTimer = setTimeout(() => this.#happened({ type: 'waited' }), effect.ms);
    }
    if (!changed) return;
    if (state.phase === 'closed') this.#endAll(state.cause);
    for (const listener of this.#statusListeners) listener(state);
  }

  #endAll(cause: Extract<ConnectionState, { phase: 'closed' }>['cause']): void {
    const feeds = [...this.#feeds.values()];
    this.#feeds.clear();
    const error = cause ? new CaissonError(cause.code, cause.message) : undefined;
    for (const feed of feeds) feed.end(error);
  }

  #connect(): void {
    const { base, apiKey, openSocket } = this.#options;
    const socket: Socket = openSocket(
      {
        url: streamUrl(base),
        protocol: STREAM_SUBPROTOCOL,
        headers: { authorization: `Bearer ${apiKey}` },
        handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
      },
      {
        opened: () => {
          if (this.#socket !== socket) return;
          this.#heardAt = Date.now();
          this.#watchTimer = setInterval(() => this.#watch(), WATCH_MS);
          this.#happened({ type: 'opened' });
          for (const [runId, feed] of this.#feeds) this.#subscribeAgain(runId, feed, false);
        },
        alive: () => {
          this.#heardAt = Date.now();
        },
        message: (text) => {
          if (this.#socket !== socket) return;
          this.#heardAt = Date.now();
          this.#receive(text);
        },
        closed: (end) => {
          if (this.#socket !== socket) return;
          this.#release();
          const { code, reason, httpStatus } = end;
          const status = httpStatus === undefined ? {} : { httpStatus };
          this.#happened({ type: 'closed', code, reason, random: Math.random(), ...status });
        },
      },
    );
    this.#socket = socket;
  }

  #release(): void {
    clearInterval(this.#watchTimer);
    this.#socket = null;
  }

  #drop(): void {
    clearTimeout(this.#waitTimer);
    const socket = this.#socket;
    if (!socket) return;
    if (this.#state.phase !== 'closed') return socket.terminate();
    this.#release();
    socket.close();
  }

  #watch(): void {
    const now = Date.now();
    const stalled = [...this.#feeds.values()].some((feed) => feed.stalled(now, STALL_MS));
    if (stalled || now - this.#heardAt > SILENCE_MS) this.#happened({ type: 'silent' });
  }

  #subscribeAgain(runId: string, feed: Feed, known: boolean): void {
    if (known) this.#send({ type: 'unsubscribe', runId });
    feed.subscribed(Date.now());
    this.#send({ type: 'subscribe', runId, after: feed.after });
  }

  #forget(runId: string, feed: Feed): void {
    if (this.#feeds.get(runId) !== feed) return;
    this.#feeds.delete(runId);
    if (this.#feeds.size === 0) this.#happened({ type: 'stop' });
    else if (this.#state.phase === 'open') this.#send({ type: 'unsubscribe', runId });
  }

  #send(message: ClientMessage): void {
    this.#socket?.send(JSON.stringify(message));
  }

  #sendNow(message: ClientMessage): void {
    if (this.#state.phase !== 'open')
      throw new CaissonError('unavailable', 'The event stream is not connected at the moment. Try again shortly.');
    this.#send(message);
  }

  #receive(text: string): void {
    const message = parseMessage(text);
    if (!message) return;
    if (message.type === 'error') return this.#refused(message);
    // Terminals have connections of their own (terminal.ts).
    if ('terminalId' in message) return;
    const runId = message.type === 'event' ? message.event.runId : message.runId;
    const feed = this.#feeds.get(runId);
    // A subscription that was closed here may still be on its way out there.
    if (!feed) return;
    this.#happened({ type: 'proved' });
    if (message.type === 'caught_up' && feed.caughtUp(message.seq)) this.#subscribeAgain(runId, feed, true);
    if (message.type !== 'event') return;
    const event = readEvent(message.event);
    if (event instanceof CaissonError) {
      feed.end(event);
      this.#forget(runId, feed);
    } else if (feed.receive(event)) this.#subscribeAgain(runId, feed, true);
  }

  #refused({ code, message, runId }: Extract<ServerMessage, { type: 'error' }>): void {
    const problem = new CaissonError(code, message);
    const feed = runId === undefined ? undefined : this.#feeds.get(runId);
    if (!feed || !ENDING.has(code)) return this.#problemListeners.forEach((listener) => listener(problem, runId));
    feed.end(problem);
    this.#forget(runId!, feed);
  }
}

/** A message that this version cannot read is left out; a missing event shows as a gap and is asked for again. */
function parseMessage(text: string): ServerMessage | undefined {
  try {
    return serverMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function readEvent(input: unknown): ClientEvent | CaissonError {
  try {
    return receiveEvent(input);
  } catch (error) {
    const sentence = 'The server sent an event that cannot be read. Client and server may be of different versions.';
    return new CaissonError('internal', sentence, { cause: error });
  }
}
