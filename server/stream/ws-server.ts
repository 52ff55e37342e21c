import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { CLOSE_CODES, HEARTBEAT_MS } from '../../shared/protocol/stream.ts';
import { API_PREFIX, STREAM_SUBPROTOCOL } from '../../shared/protocol/version.ts';
import type { Clock } from '../base/clock.ts';
import { withDeadline } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import type { EventLog } from '../events/ports.ts';
import { serveConnection, type Connection, type StreamActions, type StreamIdentity } from './connection.ts';
import { refuseUpgrade } from './refuse-upgrade.ts';

export interface StreamLimits {
  readonly maxConnectionsPerKey: number;
  readonly maxConnections: number;
  readonly maxSubscriptionsPerConnection: number;
  readonly maxMessageBytes: number;
  readonly heartbeatMs: number;
}

const DEFAULT_LIMITS: StreamLimits = {
  maxConnectionsPerKey: 50,
  maxConnections: 2000,
  maxSubscriptionsPerConnection: 100,
  maxMessageBytes: 256 * 1024,
  heartbeatMs: HEARTBEAT_MS,
};

const AUTHORIZE_DEADLINE_MS = 10_000;
/** How long a peer has to answer a close before its connection is cut. */
const CLOSE_GRACE_MS = 1000;

export interface StreamServer {
  /** Give this every `upgrade` of the HTTP server; it answers those that are not for the stream, too. */
  readonly handleUpgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
  /** Closes the connections of a key, with 4401 unless told otherwise: it was revoked. */
  closeByKey(keyId: string, code?: number): void;
  readonly connections: number;
  /** Tells everybody to come back later (1012) and resolves when they are gone; idempotent. */
  close(): Promise<void>;
}

/**
 * The WebSocket at `/v1/stream`. Whoever is not let in completes the handshake and is closed with 4401: a browser does not
 * show a page the status of a refused handshake (WHATWG WebSockets, «feedback from the protocol»), and a client
 * must be able to tell «your key does not work» from «no connection».
 */
export function createStreamServer<I extends StreamIdentity>(options: {
  log: Pick<EventLog, 'range' | 'subscribe'>;
  /** By the Authorization header or by a ticket in the query; null for anybody else. */
  authorize: (request: IncomingMessage) => Promise<I | null>;
  actions: StreamActions<I>;
  clock: Clock;
  logger: Logger;
  limits?: Partial<StreamLimits>;
}): StreamServer {
  const { log, authorize, actions, clock, logger } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const connections = new Set<Connection<I>>();
  const empty: (() => void)[] = [];
  let closing: Promise<void> | undefined;

  const webSockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // Compression costs memory and time per connection, and mixes secrets with attacker-chosen text (CRIME).
    perMessageDeflate: false,
    maxPayload: limits.maxMessageBytes,
    handleProtocols: () => STREAM_SUBPROTOCOL,
  });

  const beat = setInterval(() => {
    for (const connection of connections) {
      const { expiresAt } = connection.identity;
      if (expiresAt !== undefined && expiresAt <= clock.now().getTime()) {
        connection.close(CLOSE_CODES.unauthorized, 'the API key has expired', CLOSE_GRACE_MS);
      } else if (connection.heardSinceLastCall()) connection.ping();
      else connection.close(CLOSE_CODES.heartbeat_missed, 'no answer to the last ping', CLOSE_GRACE_MS);
    }
  }, limits.heartbeatMs);
  beat.unref();

  const accept = (request: IncomingMessage, socket: Duplex, head: Buffer, identity: I | null): void =>
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      const refuse = (code: number, reason: string): void => {
        webSocket.on('error', () => webSocket.terminate());
        webSocket.close(code, reason);
        setTimeout(() => webSocket.terminate(), CLOSE_GRACE_MS).unref();
      };
      if (!identity) return refuse(CLOSE_CODES.unauthorized, 'a valid API key or ticket is needed');
      if (closing) return refuse(CLOSE_CODES.restart, 'the server is stopping');
      const ofKey = [...connections].filter((one) => one.identity.keyId === identity.keyId).length;
      if (ofKey >= limits.maxConnectionsPerKey) return refuse(CLOSE_CODES.too_many, 'too many connections of this key');

      const maxSubscriptions = limits.maxSubscriptionsPerConnection;
      const connection = serveConnection({ webSocket, socket, identity, log, actions, maxSubscriptions, logger });
      connections.add(connection);
      webSocket.on('close', () => {
        connections.delete(connection);
        if (connections.size === 0) for (const resolve of empty.splice(0)) resolve();
      });
    });

  const admit = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const problem = problemOf(request);
    if (problem) return refuseUpgrade(socket, problem.code, problem.message);
    if (closing || connections.size >= limits.maxConnections) {
      return refuseUpgrade(socket, 'unavailable', 'The server takes no more streams at the moment. Try again later.');
    }
    const identity = await withDeadline(authorize(request), AUTHORIZE_DEADLINE_MS, 'The check of the API key');
    if (!socket.destroyed) accept(request, socket, head, identity);
  };

  return {
    handleUpgrade(request, socket, head) {
      // Until ws takes over, nobody else listens: an unheard error event would end the process.
      const onError = (error: Error) => logger.debug({ err: error }, 'a connection failed before it was a stream');
      socket.on('error', onError);
      void admit(request, socket, head).catch((error: unknown) => {
        logger.error({ err: error }, 'a stream could not be opened');
        refuseUpgrade(socket, 'unavailable', 'The server could not open the stream. Try again later.');
      });
    },
    closeByKey(keyId, code = CLOSE_CODES.unauthorized) {
      for (const connection of connections) {
        if (connection.identity.keyId === keyId) connection.close(code, 'the API key was revoked', CLOSE_GRACE_MS);
      }
    },
    get connections() {
      return connections.size;
    },
    close() {
      return (closing ??= (async () => {
        clearInterval(beat);
        const gone = new Promise<void>((resolve) => (connections.size === 0 ? resolve() : empty.push(resolve)));
        for (const connection of connections) connection.close(CLOSE_CODES.restart, 'restart', CLOSE_GRACE_MS);
        // Each connection is cut after the grace, so this deadline only bounds a mistake.
        await withDeadline(gone, 5 * CLOSE_GRACE_MS, 'Closing the streams');
        webSockets.close();
      })());
    },
  };
}

/** Why a handshake cannot be one for the stream, before anybody asks who makes it. */
function problemOf(request: IncomingMessage): CaissonError | undefined {
  if (!URL.canParse(request.url ?? '/', 'http://stream')) {
    return new CaissonError('invalid_request', 'The address of the request is not one.');
  }
  const url = new URL(request.url ?? '/', 'http://stream');
  if (url.pathname !== `${API_PREFIX}/stream`) {
    return new CaissonError('not_found', `There is no WebSocket at ${url.pathname}, only at ${API_PREFIX}/stream.`);
  }
  const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim());
  if (!offered.includes(STREAM_SUBPROTOCOL)) {
    return new CaissonError('invalid_request', `The subprotocol ${STREAM_SUBPROTOCOL} is needed.`);
  }
  // Only a browser sends Origin, and it would add cookies by itself (cross-site WebSocket hijacking). A page proves that
  // it may by a ticket, which only somebody with the key can have asked for.
  if (request.headers.origin !== undefined && !url.searchParams.has('ticket')) {
    return new CaissonError('forbidden', 'A browser opens the stream with a ticket from POST /v1/stream-tickets.');
  }
  return undefined;
}
