import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { createLogger } from '../../../server/base/logger.ts';
import { parseOperatorExceptions } from '../../../server/egress/exceptions.ts';
import { createEgressGateway, type EgressGateway, type EgressGatewayOptions } from '../../../server/egress/gateway.ts';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import { eventData } from '../../../shared/protocol/events.ts';
import { networkPolicy, type NetworkPolicy } from '../../../shared/protocol/rest.ts';
import { compilePolicy } from '../../../shared/policy/decide.ts';

type Undo = () => unknown;
const undo: Undo[] = [];

/** For `afterEach`: closes what the test opened, last first. */
export async function releaseAll(): Promise<void> {
  for (let next = undo.pop(); next; next = undo.pop()) await next();
}
const onRelease = (release: Undo) => void undo.push(release);

function tempFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'caisson-egress-'));
  onRelease(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Where the upstreams of these tests listen; only an operator's exception makes it reachable. */
export const HOST = 'upstream.internal';

export interface Harness {
  readonly gateway: EgressGateway;
  readonly events: NewEvent[];
  readonly failures: Error[];
  /** The `rule` of every decision, in order: `allow pattern:…`, `deny tls-sni`. */
  readonly decisions: () => string[];
  readonly closed: () => Extract<NewEvent, { type: 'egress.closed' }>['data'][];
}

export async function startGateway(
  network: Partial<NetworkPolicy>,
  options: Partial<EgressGatewayOptions> & { readonly privateHosts?: string } = {},
): Promise<Harness> {
  const events: NewEvent[] = [];
  const failures: Error[] = [];
  const exceptions = parseOperatorExceptions(options.privateHosts ?? `${HOST}=127.0.0.1`);
  const gateway = await createEgressGateway({
    socketPath: join(tempFolder(), 'egress.sock'),
    policy: compilePolicy(
      networkPolicy.parse({ groups: [], ...network }),
      exceptions.map(({ host }) => host),
    ),
    exceptions,
    modelUpstreams: {},
    record: async (event) => {
      eventData[event.type].parse(event.data);
      events.push(event);
    },
    onFailClosed: (error) => failures.push(error),
    logger: createLogger('silent'),
    resolver: async () => [],
    ...options,
  });
  onRelease(() => gateway.close());
  return {
    gateway,
    events,
    failures,
    decisions: () =>
      events.flatMap((event) =>
        event.type === 'egress.allowed'
          ? [`allow ${event.data.rule}`]
          : event.type === 'egress.denied'
            ? [`deny ${event.data.rule}`]
            : [],
      ),
    closed: () => events.flatMap((event) => (event.type === 'egress.closed' ? [event.data] : [])),
  };
}

/** A TCP upstream on loopback. Returns its port and the sockets and bytes that reached it. */
export async function startUpstream(onSocket: (socket: Socket) => void = (socket) => socket.pipe(socket)) {
  const sockets: Socket[] = [];
  const received: Buffer[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket);
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => received.push(chunk));
    onSocket(socket);
  });
  const port = await listen(server);
  return {
    port,
    sockets,
    text: () => Buffer.concat(received).toString('latin1'),
    bytes: () => Buffer.concat(received),
  };
}

export async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  onRelease(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** What socat does in a sandbox: a TCP port that leads to the gateway's socket, for programs that know only proxies. */
export function startRelay(socketPath: string): Promise<number> {
  return listen(
    createServer({ allowHalfOpen: true }, (socket) => {
      const inner = connect({ path: socketPath, allowHalfOpen: true });
      socket.on('error', () => inner.destroy());
      inner.on('error', () => socket.destroy());
      socket.pipe(inner).pipe(socket);
    }),
  );
}

export interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  readonly bytes: () => Buffer;
  /** Resolves with everything received so far as soon as it matches. */
  readonly until: (pattern: RegExp) => Promise<string>;
  readonly ended: Promise<string>;
}

/** A raw connection to the gateway, as a process in the sandbox would make it. */
export function openClient(path: string, first?: string | Buffer): Client {
  const socket = connect({ path, allowHalfOpen: true });
  onRelease(() => socket.destroy());
  const received: Buffer[] = [];
  const bytes = () => Buffer.concat(received);
  const text = () => bytes().toString('latin1');
  socket.on('data', (chunk: Buffer) => received.push(chunk));
  socket.on('error', () => socket.destroy());
  const ended = new Promise<string>((resolve) => {
    socket.once('end', () => resolve(text()));
    socket.once('close', () => resolve(text()));
  });
  const until = async (pattern: RegExp): Promise<string> => {
    while (!pattern.test(text())) {
      if (socket.destroyed || socket.readableEnded)
        throw new Error(`ended without ${String(pattern)}: ${JSON.stringify(text())}`);
      await new Promise<void>((resolve) => {
        const go = () => resolve();
        socket.once('data', go).once('end', go).once('close', go);
      });
    }
    return text();
  };
  if (first !== undefined) socket.write(first);
  return { socket, text, bytes, until, ended };
}

export const CONNECTED = /^HTTP\/1\.1 200 [^\r]*\r\n\r\n/;
export const connectTo = (target: string) => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;

/** The JSON body of a refusal. */
export function refusalOf(answer: string): {
  code: string;
  message: string;
  rule: string;
  host: string;
  port: number;
  howToAsk?: string;
} {
  return (JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { error: ReturnType<typeof refusalOf> }).error;
}

export async function eventually(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 1000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`never happened: ${what}`);
}

let certificates: string | undefined;
let pair: { key: string; cert: string; certFile: string } | undefined;
// A worker of the test runner may end without `exit`, so this is not left to the process.
afterAll(() => {
  if (certificates !== undefined) rmSync(certificates, { recursive: true, force: true });
});

/** A throw-away certificate for HOST, made by openssl once per test file. */
export function certificate(): { key: string; cert: string; certFile: string } {
  if (pair) return pair;
  const folder = (certificates = mkdtempSync(join(tmpdir(), 'caisson-cert-')));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', `/CN=${HOST}`, '-addext', `subjectAltName=DNS:${HOST},DNS:*.${HOST}`, '-days', '2'];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-keyout',
      keyFile,
      '-out',
      certFile,
      ...subject,
    ],
    { stdio: 'pipe' },
  );
  pair = { key: readFileSync(keyFile, 'utf8'), cert: readFileSync(certFile, 'utf8'), certFile };
  return pair;
}
