import { chmod, mkdir } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { systemClock } from '../../server/base/clock.ts';
import { newId } from '../../server/base/ids.ts';
import { createLogger } from '../../server/base/logger.ts';
import { createGvisorRuntime } from '../../server/sandbox/gvisor/runtime.ts';
import type { ExecOptions, Sandbox, SandboxRuntime, SandboxSpec } from '../../server/sandbox/sandbox.ts';
import { createTraceSink } from '../../server/witness/trace-sink.ts';
import { temporaryFolder, TEST_IMAGE, TEST_RUNTIME } from './sandboxed.ts';

const MIB = 1024 ** 2;

/** A host for sandboxes: a witness that listens, a data folder, and an egress socket per sandbox. */
export interface SandboxHost extends AsyncDisposable {
  readonly dataDir: string;
  readonly serverId: string;
  readonly runtime: SandboxRuntime;
  /** What a sandbox's egress socket does with a connection; an echo unless a test says otherwise. */
  onConnection: (socket: Socket) => void;
  spec(overrides?: Partial<SandboxSpec>): Promise<SandboxSpec>;
  create(overrides?: Partial<SandboxSpec>): Promise<Sandbox>;
  /** Another server process with the same identity, as after a restart. */
  restarted(): SandboxRuntime;
}

export async function openSandboxHost(): Promise<SandboxHost> {
  const data = await temporaryFolder();
  const logger = createLogger('silent');
  const serverId = newId('srv');
  const open = (): SandboxRuntime =>
    createGvisorRuntime({
      serverId,
      dataDir: data.path,
      runtime: TEST_RUNTIME,
      allowUnsandboxed: false,
      logger,
      clock: systemClock,
    });
  const runtime = open();
  const { traceSocket } = await runtime.describe();
  if (traceSocket === undefined) throw new Error(`The runtime ${TEST_RUNTIME} has no trace socket.`);
  const witness = await createTraceSink({ socketPath: traceSocket, logger });
  const servers: Server[] = [];

  const host: SandboxHost = {
    dataDir: data.path,
    serverId,
    runtime,
    onConnection: (socket) => void socket.pipe(socket),
    restarted: open,
    async spec(overrides = {}) {
      const runId = overrides.runId ?? newId('run');
      const egressFolder = join(data.path, 'egress', runId);
      await mkdir(egressFolder, { recursive: true, mode: 0o755 });
      const socketPath = join(egressFolder, 'egress.sock');
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => undefined); // A sandbox that is destroyed resets its connections.
        host.onConnection(socket);
      });
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(socketPath, resolve));
      await chmod(socketPath, 0o666);
      return {
        runId,
        image: TEST_IMAGE,
        cpus: 2,
        memoryBytes: 1024 * MIB,
        diskBytes: 256 * MIB,
        maxProcesses: 256,
        egressFolder,
        readOnlyMounts: [],
        onIdentified: () => undefined,
        ...overrides,
      };
    },
    async create(overrides) {
      return runtime.create(await host.spec(overrides), new AbortController().signal);
    },
    async [Symbol.asyncDispose]() {
      await open().reap(); // Another process's view: whatever a failed test left alive goes too.
      for (const server of servers) server.close();
      await witness.close();
      await data[Symbol.asyncDispose]();
    },
  };
  return host;
}

export interface Finished {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function run(sandbox: Sandbox, argv: readonly string[], options?: ExecOptions): Promise<Finished> {
  const process = await sandbox.exec(argv, options);
  process.stdin.end();
  const [stdout, stderr] = await Promise.all([buffer(process.stdout), buffer(process.stderr)]);
  return { exitCode: await process.exit, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') };
}

/** Runs a script in `bash` to its end. */
export function sh(sandbox: Sandbox, script: string, options?: ExecOptions): Promise<Finished> {
  return run(sandbox, ['bash', '-c', script], options);
}
