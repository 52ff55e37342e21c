/**
 * The port to a WebSocket, so that the stream runs where `ws` does (the CLI, the extension host) and where it does
 * not. An opener never throws for a connection that fails: it calls `closed`, exactly once.
 */
export interface Socket {
  send(text: string): void;
  /** Says goodbye (RFC 6455 section 7.1.2). */
  close(): void;
  /** Drops the connection without waiting for the other side. */
  terminate(): void;
}

export interface SocketClosed {
  /** The close code; 1006 where there was no closing handshake. */
  readonly code: number;
  readonly reason: string;
  /** The HTTP status where the server answered the handshake with something other than 101. */
  readonly httpStatus?: number;
  readonly error?: unknown;
}

export interface SocketHandlers {
  opened(): void;
  message(text: string): void;
  /** The server was heard from in some other way: a ping. */
  alive(): void;
  closed(end: SocketClosed): void;
}

export interface SocketRequest {
  readonly url: string;
  readonly protocol: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds until the handshake must be complete. */
  readonly handshakeTimeoutMs: number;
}

export type OpenSocket = (request: SocketRequest, handlers: SocketHandlers) => Socket;
