import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { CaissonError } from '../shared/protocol/errors.ts';
import { Idempotency } from './api/idempotency.ts';
import { createApi } from './api/router.ts';
import { allRoutes } from './api/routes/index.ts';
import { Cleanup, messageOf } from './base/lifecycle.ts';
import type { Config } from './config/config.ts';
import type { Secrets } from './config/secrets.ts';
import { createContext, type Context, type Overrides } from './context.ts';
import { prepareFirstStart } from './first-start.ts';
import { startJanitor } from './janitor.ts';
import { createReadinessCheck } from './readiness.ts';
import { recover } from './runs/recovery.ts';
import { openStream } from './stream/open-stream.ts';

export interface RunningServer {
  /** Where it listens, for clients on this machine: `http://127.0.0.1:7480`. */
  readonly url: string;
  readonly context: Context;
  /** The owner's first API key, only when this start made it. */
  readonly firstKey: { readonly apiKey: string; readonly keyId: string } | undefined;
  /** Ends the active runs, closes the streams, releases everything. Idempotent. */
  close(): Promise<void>;
}

const STOP_RUNS_MS = 90_000;
/** A large upload over a slow line takes long; a request that takes longer than this is cut. */
const REQUEST_TIMEOUT_MS = 30 * 60_000;

/** Starts a whole server: services, recovery, API, stream. @throws {CaissonError} with what to mend, and nothing left open */
export async function startServer(config: Config, secrets: Secrets, overrides: Overrides = {}): Promise<RunningServer> {
  const context = await createContext(config, secrets, overrides);
  const { cleanup, logger } = context;
  try {
    const { log, index, sandboxes, proofs } = context;
    await recover({ index, log, sandboxes, signHead: (runId) => proofs.sign(runId), logger });
    const firstKey = await prepareFirstStart(context);
    const idempotency = await Idempotency.open(context.store, context.clock);
    const { apiKeys, version } = { apiKeys: context.apiKeys, version: config.version };
    const app = createApi({
      routes: allRoutes(context),
      apiKeys,
      idempotency,
      rateLimits: config.rateLimits,
      behindProxy: config.listen.behindProxy,
      operation: {
        ready: createReadinessCheck(context),
        securityContact: config.securityContact,
        clock: context.clock,
      },
      version,
      logger,
    });
    const server = await createHttpServer(config, app);
    const stream = openStream(context, server);
    const janitor = startJanitor(context, idempotency);
    await listen(server, config);
    const url = urlOf(server, config);
    logger.info({ url, runtime: context.runtime.runtime, sandboxed: context.runtime.sandboxed }, 'listening');

    const close = once(async () => {
      const closing = new Cleanup();
      closing.add('services', () => cleanup.run());
      closing.add('janitor', () => janitor.stop());
      closing.add('HTTP server', () => closeServer(server));
      closing.add('streams', () => stream.close());
      closing.add('active runs', () => context.runs.stop(STOP_RUNS_MS));
      await closing.run();
      logger.info('stopped');
    });
    return { url, context, firstKey, close };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}

async function createHttpServer(config: Config, app: (...args: never[]) => unknown): Promise<Server> {
  const handler = app as Parameters<typeof createServer>[1];
  const { tls } = config.listen;
  // TLS 1.2 is the least that is accepted, 1.3 what two current peers agree on (RFC 9325).
  const server = tls
    ? createTlsServer({ cert: await readFile(tls.cert), key: await readFile(tls.key), minVersion: 'TLSv1.2' }, handler)
    : createServer(handler);
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  return server;
}

async function listen(server: Server, config: Config): Promise<void> {
  const { host, port } = config.listen;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'EADDRINUSE'
          ? 'the port is in use; another server may be running. Set CAISSON_PORT to another one'
          : messageOf(error);
      reject(new CaissonError('unavailable', `Cannot listen on ${host}:${port}: ${why}.`, { cause: error }));
    });
    server.listen(port, host, () => resolve());
  });
}

function urlOf(server: Server, config: Config): string {
  const { address, port, family } = server.address() as AddressInfo;
  const shown =
    address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? 'localhost' : family === 'IPv6' ? `[${address}]` : address;
  return `${config.listen.tls ? 'https' : 'http'}://${shown}:${port}`;
}

async function closeServer(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeAllConnections();
  await closed;
}

function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
