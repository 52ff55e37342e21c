import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Line {
  waiting: number;
  /** The connection closes after the answer that is under way. */
  over: boolean;
  tail: Promise<void>;
}

/**
 * Keeps the requests of one connection in line: each is decided, and answered, after the one before it. Node's parser
 * hands out pipelined requests all at once, several thousand from one buffer, so how many may wait is bounded too.
 */
export class Pipelining {
  readonly #lines = new WeakMap<Socket, Line>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** Whether the connection has a request that is not answered yet. */
  busy(socket: Socket): boolean {
    return (this.#lines.get(socket)?.waiting ?? 0) > 0;
  }

  /** Runs the task in its turn. Returns undefined, without running it, when too many wait already. */
  enter(socket: Socket, response: ServerResponse, task: () => Promise<void>): Promise<void> | undefined {
    const line = this.#lines.get(socket) ?? { waiting: 0, over: false, tail: Promise.resolve() };
    this.#lines.set(socket, line);
    if (line.waiting >= this.#max) return undefined;
    line.waiting += 1;
    const turn = line.tail.then(async () => {
      try {
        // A closing connection has nobody to answer; what was never begun needs no decision.
        if (socket.destroyed || line.over) return;
        await task();
        line.over = !response.shouldKeepAlive;
      } finally {
        line.waiting -= 1;
      }
    });
    // The next in line waits for this one whether it went well or not; its error belongs to its own caller.
    line.tail = turn.catch(() => undefined);
    return turn;
  }
}
