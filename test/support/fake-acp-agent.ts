import { PassThrough } from 'node:stream';
import { agent, ndJsonStream, type AgentApp } from '@agentclientprotocol/sdk';
import type { SandboxProcess } from '../../server/sandbox/sandbox.ts';

/** A process of a sandbox whose other end is in the test's hands. */
export interface FakeProcess extends SandboxProcess {
  readonly stdin: PassThrough;
  readonly stdout: PassThrough;
  readonly stderr: PassThrough;
  /** Ends the process: its streams end, its exit code is known. */
  end(exitCode: number): void;
  /** The sandbox is gone: streams end, and `exit` rejects. */
  vanish(reason: string): void;
}

export function fakeProcess(): FakeProcess {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let settle: { resolve: (code: number) => void; reject: (error: Error) => void } | undefined;
  const exit = new Promise<number>((resolve, reject) => (settle = { resolve, reject }));
  exit.catch(() => undefined);
  const endStreams = () => {
    if (!stdout.destroyed) stdout.end();
    if (!stderr.destroyed) stderr.end();
  };
  stdin.on('finish', () => setImmediate(() => endStreams()));
  stdin.on('finish', () => setImmediate(() => settle?.resolve(0)));
  return {
    stdin,
    stdout,
    stderr,
    exit,
    resize: () => Promise.resolve(),
    end: (exitCode) => {
      settle?.resolve(exitCode);
      endStreams();
    },
    vanish: (reason) => {
      settle?.reject(new Error(reason));
      endStreams();
    },
  };
}

/**
 * An agent that speaks ACP by the SDK's own agent side: a double for unit tests. Initialize and session/new are answered;
 * everything else is the test's.
 */
export function fakeAgent(name = 'fake'): AgentApp {
  return agent({ name })
    .onRequest('initialize', () => ({
      protocolVersion: 1,
      agentInfo: { name, version: '1.2.3' },
      agentCapabilities: {},
    }))
    .onRequest('session/new', () => ({ sessionId: 's1' }));
}

/** Connects an agent to the process whose stdio it would have. */
export function connectAgent(app: AgentApp, process: FakeProcess): void {
  const output = new WritableStream<Uint8Array>({
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
  });
  const input = ReadableStream.from(process.stdin) as ReadableStream<Uint8Array>;
  app.connect(ndJsonStream(output, input));
}
