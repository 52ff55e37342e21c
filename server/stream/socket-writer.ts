import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Bytes that may wait in the process for one slow connection. */
const HIGH_WATER = 1024 * 1024;

/** Writes to one connection, as fast as the other side reads and no faster. */
export interface SocketWriter {
  /** For small messages, which do not wait. */
  write(message: Buffer): void;
  /** Resolves when more may be written, or when the connection is gone. */
  drained(): Promise<void>;
}

export function createSocketWriter(webSocket: WebSocket, socket: Duplex): SocketWriter {
  let corked = false;
  let draining: Promise<void> | undefined;
  return {
    write(message) {
      if (webSocket.readyState !== webSocket.OPEN) return;
      if (!corked) {
        // Frames that are written in one turn of the event loop go out in one system call.
        corked = true;
        socket.cork();
        process.nextTick(() => {
          corked = false;
          socket.uncork();
        });
      }
      // Without a callback a failed write ends the connection, which its `close` event reports.
      webSocket.send(message, { binary: false });
    },
    async drained() {
      if (webSocket.bufferedAmount <= HIGH_WATER || socket.destroyed) return;
      draining ??= new Promise<void>((resolve) => {
        const done = () => {
          draining = undefined;
          socket.off('drain', done).off('close', done);
          resolve();
        };
        socket.on('drain', done).on('close', done);
      });
      await draining;
    },
  };
}
