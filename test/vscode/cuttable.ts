import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Cuttable extends AsyncDisposable {
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Lets nothing pass any more, in either direction, and says so to nobody: what a dead link looks like at first. */
  stall(): void;
  /** Lets everything pass again that was held up. */
  flow(): void;
}

/**
 * A network path to a server on loopback that can fail. `target` is asked for each connection, since a server that was
 * restarted may listen elsewhere.
 */
export async function startCuttable(target: () => string): Promise<Cuttable> {
  /** Each end of a connection, and where its bytes go. */
  const sockets = new Map<Socket, Socket>();
  let stalled = false;
  const accept = (from: Socket): void => {
    const { hostname, port } = new URL(target());
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.set(socket, other);
      // An error is followed by `close`, and the other end has to go as well.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      if (!stalled) socket.pipe(other);
    }
  };
  let server = await listen(accept, 0);
  const { port } = server.address() as AddressInfo;
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets.keys()) socket.destroy();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    mend: async () => void (server = await listen(accept, port)),
    stall: () => {
      stalled = true;
      for (const socket of sockets.keys()) socket.unpipe().pause();
    },
    flow: () => {
      stalled = false;
      for (const [socket, other] of sockets) socket.pipe(other);
    },
    [Symbol.asyncDispose]: () => (server.listening ? cut() : Promise.resolve()),
  };
}

async function listen(accept: (socket: Socket) => void, port: number): Promise<Server> {
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}
