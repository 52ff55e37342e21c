import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

export interface Cuttable extends AsyncDisposable {
  readonly url: string;
  /** Breaks every connection and refuses new ones. */
  cut(): Promise<void>;
  mend(): Promise<void>;
}

/**
 * A network path to a server on loopback that can fail. `target` is asked for each connection, since a server that was
 * restarted may listen elsewhere.
 */
export async function startCuttable(target: () => string): Promise<Cuttable> {
  const sockets = new Set<Socket>();
  const accept = (from: Socket): void => {
    const { hostname, port } = new URL(target());
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      sockets.add(socket);
      // An error is followed by `close`, and the other end has to go as well.
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  };
  let server = await listen(accept, 0);
  const { port } = server.address() as AddressInfo;
  const cut = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of sockets) socket.destroy();
    await closed;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    cut,
    mend: async () => void (server = await listen(accept, port)),
    [Symbol.asyncDispose]: () => (server.listening ? cut() : Promise.resolve()),
  };
}

async function listen(accept: (socket: Socket) => void, port: number): Promise<Server> {
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, '127.0.0.1', resolve));
  return server;
}
