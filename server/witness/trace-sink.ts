import { chmod, mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SeqpacketServer, type SeqpacketSocket } from 'node-unix-socket';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { messageOf } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { decodePacket, HANDSHAKE, type Packet } from './decode.ts';
import { isListening } from './probe.ts';
import { createSubject, type Subject, type Watcher } from './subject.ts';

/** Packets are answered before they are known to belong to anyone, so there is a bound to those who never say who they are. */
const MAX_UNIDENTIFIED = 64;

export interface TraceSinkOptions {
  /** Where the engine's runtime entry makes gVisor report to. */
  readonly socketPath: string;
  readonly logger: Logger;
  /** Milliseconds that a watched sandbox may take to its first report; default 60 s. */
  readonly firstReportMs?: number;
}

export interface TraceSinkStats {
  /** Packets that were not what gVisor sends. */
  readonly malformed: number;
  /** Packets of containers that nobody watches. */
  readonly unwatched: number;
}

/** The kernel witness: receives what gVisor reports about every sandbox of one runtime. */
export interface TraceSink {
  /**
   * From now on, what the kernel says about this sandbox comes to `watcher`, in order, one batch per tick. Must be called
   * before the sandbox's first process runs.
   *
   * `onLost` is called once, when the sandbox runs (or may run) without a witness. gVisor also closes its connection when
   * the sandbox ends, so whoever watches weighs it against the sandbox's own exit.
   *
   * Returns what ends the watch, to be called when the sandbox is gone: it waits (one second at most) for gVisor's
   * connection to end, calls `onLost` no more, and resolves when every report has been handed over.
   */
  watch(sandboxId: string, watcher: Watcher): () => Promise<void>;
  stats(): TraceSinkStats;
  /** Ends every watch with `onLost`, closes all connections and removes the socket. */
  close(): Promise<void>;
}

/** What a run needs of it. */
export type Witness = Pick<TraceSink, 'watch'>;

/**
 * Listens at `socketPath`, in a folder that only this user may enter.
 * @throws {CaissonError} `conflict` when another server listens there already
 */
export async function createTraceSink(options: TraceSinkOptions): Promise<TraceSink> {
  const { socketPath, logger, firstReportMs = 60_000 } = options;
  await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
  if (await isListening(socketPath)) {
    throw new CaissonError(
      'conflict',
      `Another Caisson server already receives the reports at ${socketPath}. Stop it, or give this server a runtime of ` +
        'its own: `caisson setup --runtime NAME`, then start it with CAISSON_RUNTIME=NAME.',
    );
  }
  await rm(socketPath, { force: true });

  const subjects = new Map<string, Subject>();
  const connections = new Map<SeqpacketSocket, Connection>();
  const stats = { malformed: 0, unwatched: 0 };
  const server = new SeqpacketServer();
  server.on('error', (error: Error) => {
    logger.error({ err: error }, 'the witness no longer accepts connections');
    for (const subject of subjects.values()) subject.lose(`the witness's socket failed: ${error.message}`);
  });
  server.on('connection', (socket: SeqpacketSocket) => accept(socket));
  server.listen(socketPath);
  await chmod(socketPath, 0o600);

  function accept(socket: SeqpacketSocket): void {
    const unidentified = [...connections.values()].filter((connection) => connection.containerId === undefined);
    if (unidentified.length >= MAX_UNIDENTIFIED) {
      logger.warn('the witness has too many connections that never said who they are; one more was refused');
      destroyLater(socket);
      return;
    }
    const connection: Connection = { greeted: false, containerId: undefined, malformed: false, unwatched: false };
    connections.set(socket, connection);
    const end = (reason: string) => {
      if (!connections.delete(socket)) return;
      destroyLater(socket);
      const id = connection.containerId;
      if (id !== undefined) subjects.get(id)?.lose(reason);
    };
    socket.on('data', (packet: Buffer) => {
      if (!connections.has(socket)) return;
      try {
        receive(socket, connection, packet, end);
      } catch (error) {
        // An exception in this callback would end the process: its caller is native code.
        logger.error({ err: error }, 'a report to the witness could not be handled');
        end(`a report could not be handled: ${messageOf(error)}`);
      }
    });
    socket.on('end', () => end('gVisor closed its connection to the witness'));
    socket.on('close', () => end('the connection to the witness was closed'));
    socket.on('error', (error: Error) => end(`the connection to the witness failed: ${error.message}`));
  }

  function receive(
    socket: SeqpacketSocket,
    connection: Connection,
    packet: Buffer,
    end: (reason: string) => void,
  ): void {
    if (!connection.greeted) {
      connection.greeted = true;
      // Both sides say their version and go on if the other's is at least theirs (common.proto: Handshake).
      socket.write(HANDSHAKE);
      return;
    }
    let decoded: Packet;
    try {
      decoded = decodePacket(packet);
    } catch (error) {
      malformed(connection, messageOf(error));
      return;
    }
    if (connection.containerId !== undefined && connection.containerId !== decoded.containerId) {
      // One gVisor kernel holds one sandbox: nobody may speak for another one.
      end(`a connection that spoke for this sandbox then spoke for ${decoded.containerId}`);
      return;
    }
    connection.containerId = decoded.containerId;
    const subject = subjects.get(decoded.containerId);
    if (subject) {
      subject.report(decoded);
      return;
    }
    stats.unwatched += 1;
    if (!connection.unwatched)
      logger.warn({ containerId: decoded.containerId }, 'a container that no run owns reports to the witness');
    connection.unwatched = true;
  }

  function malformed(connection: Connection, reason: string): void {
    stats.malformed += 1;
    if (connection.malformed) return;
    connection.malformed = true;
    logger.warn(
      { containerId: connection.containerId, reason },
      'the witness received a packet that gVisor would not send',
    );
    const id = connection.containerId;
    if (id !== undefined) subjects.get(id)?.malformed(reason);
  }

  return {
    watch: (sandboxId, watcher) => {
      if (subjects.has(sandboxId)) throw new Error(`The sandbox ${sandboxId} is watched already.`);
      const subject = createSubject(watcher, firstReportMs);
      subjects.set(sandboxId, subject);
      return async () => {
        await subject.stop();
        if (subjects.get(sandboxId) === subject) subjects.delete(sandboxId);
      };
    },
    stats: () => ({ ...stats }),
    close: async () => {
      server.close();
      for (const subject of subjects.values()) subject.lose('the witness was stopped');
      subjects.clear();
      const open = [...connections.keys()];
      connections.clear();
      for (const socket of open) destroyLater(socket);
      await rm(socketPath, { force: true });
    },
  };
}

/** node-unix-socket 0.2.7 aborts the process when a socket is destroyed from within its own `data` callback. */
function destroyLater(socket: SeqpacketSocket): void {
  setImmediate(() => socket.destroy());
}

interface Connection {
  greeted: boolean;
  /** Set by the first packet, and then final. */
  containerId: string | undefined;
  malformed: boolean;
  unwatched: boolean;
}
