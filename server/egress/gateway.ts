import { chmod, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { CompiledPolicy, OperatorException } from '../../shared/policy/decide.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { messageOf, withDeadline } from '../base/lifecycle.ts';
import type { Logger } from '../base/logger.ts';
import { refuse } from './admission.ts';
import { handleConnect } from './connect.ts';
import type { EgressContext } from './context.ts';
import { handleRequest } from './http.ts';
import { EgressShut, Ledger } from './ledger.ts';
import { DEFAULT_LIMITS, type EgressLimits } from './limits.ts';
import { Pipelining } from './pipelining.ts';
import { refuseSocket, type Refusal } from './reply.ts';
import { Surplus } from './surplus.ts';
import { lookupLocally, resolvePublicly, type Resolve } from './resolve.ts';

export interface EgressGatewayOptions {
  /** In a folder of this run alone: whoever can open the socket is the sandbox. */
  readonly socketPath: string;
  readonly policy: CompiledPolicy;
  readonly exceptions: readonly OperatorException[];
  /** By provider: where `/model/<provider>/` goes. */
  readonly modelUpstreams: Readonly<Record<string, URL>>;
  /** Resolves when the event is durable. */
  readonly record: (event: NewEvent) => Promise<void>;
  /** Called once, when the log did not take an event. The gateway is then shut for good; the run must stop. */
  readonly onFailClosed: (error: Error) => void;
  readonly logger: Logger;
  /** Replaces DNS (tests). */
  readonly resolver?: Resolve;
  readonly limits?: Partial<EgressLimits>;
}

/**
 * Bytes that wait in each direction of a connection. What has gathered goes on in one system call, and each call costs
 * gVisor's kernel much more than its bytes do: with Node's 16 KiB a download inside a sandbox reached 0.5 to 0.7 of the
 * bare socket's speed, with 256 KiB 0.8 to 0.95 (`npm run bench -- egress`).
 */
const BUFFER_BYTES = 256 * 1024;

/** The one way out of one sandbox. */
export interface EgressGateway {
  readonly socketPath: string;
  /** Bytes out of and into the sandbox so far. */
  totals(): { readonly sentBytes: number; readonly receivedBytes: number };
  /** Ends every connection and waits for them, then removes the socket. May be called again. */
  close(): Promise<void>;
}

/** Starts the gateway of one run. @throws {Error} when the socket cannot be listened on */
export async function createEgressGateway(options: EgressGatewayOptions): Promise<EgressGateway> {
  const gateway = new Gateway(options);
  await gateway.listen();
  return gateway;
}

class Gateway implements EgressGateway {
  readonly socketPath: string;
  readonly #server: Server;
  readonly #context: EgressContext;
  readonly #ledger: Ledger;
  readonly #limits: EgressLimits;
  readonly #shut = new AbortController();
  readonly #sockets = new Set<Socket>();
  readonly #inFlight = new Set<Promise<void>>();
  readonly #pipelining: Pipelining;
  readonly #surplus: Surplus;
  #closed: Promise<void> | undefined;

  constructor(options: EgressGatewayOptions) {
    const limits = { ...DEFAULT_LIMITS, ...options.limits };
    this.socketPath = options.socketPath;
    this.#limits = limits;
    this.#pipelining = new Pipelining(limits.maxPipelined);
    this.#surplus = new Surplus(limits.surplusReportMs, (count) => this.#recordSurplus(count));
    this.#ledger = new Ledger({
      record: options.record,
      limits,
      logger: options.logger,
      signal: this.#shut.signal,
      onFailure: (error) => {
        options.logger.error({ reason: error.message }, 'the log did not take an egress event: egress is shut');
        this.#cutAll('The log failed.');
        options.onFailClosed(error);
      },
    });
    this.#context = {
      policy: options.policy,
      exceptions: options.exceptions,
      modelUpstreams: options.modelUpstreams,
      resolve: options.resolver ?? resolvePublicly,
      resolveLocally: options.resolver ?? lookupLocally,
      ledger: this.#ledger,
      limits,
      logger: options.logger,
      signal: this.#shut.signal,
      track: (socket) => this.#track(socket),
    };
    this.#server = this.#createServer();
  }

  #createServer(): Server {
    const server = createServer({
      // The strict parser, whatever the process was started with: leniency is how requests are smuggled.
      insecureHTTPParser: false,
      maxHeaderSize: this.#limits.maxHeaderBytes,
      headersTimeout: this.#limits.headersTimeoutMs,
      // Bodies may take long (uploads, and answers of models); each exchange has an idle deadline of its own instead.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, this.#limits.headersTimeoutMs),
      keepAliveTimeout: 5_000,
      noDelay: true,
      highWaterMark: BUFFER_BYTES,
    });
    server.maxConnections = this.#limits.maxConnections;
    server.on('connection', (socket) => this.#track(socket));
    server.on('drop', () => this.#surplus.add());
    server.on('request', (request, response) => this.#onRequest(request, response));
    server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) =>
      this.#onRequest(request, response),
    );
    server.on('connect', (request, socket, head) => this.#onConnect(request, socket as Socket, head));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#onClientError(error, socket as Socket));
    return server;
  }

  async listen(): Promise<void> {
    // A socket file that a killed server left behind would make listening fail.
    await rm(this.socketPath, { force: true });
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.socketPath, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#server.on('error', (error) =>
      this.#context.logger.error({ reason: error.message }, 'the egress listener failed'),
    );
    // The sandbox's users are not the server's; the folder around the socket keeps everybody else out.
    await chmod(this.socketPath, 0o666);
  }

  totals(): { readonly sentBytes: number; readonly receivedBytes: number } {
    return this.#ledger.totals();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    const stopped = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#surplus.flush();
    this.#cutAll('The gateway is closing.');
    try {
      const done = Promise.all([stopped, this.#settled()]);
      await withDeadline(done, this.#limits.closeTimeoutMs, 'Closing the egress gateway');
    } catch (error) {
      // Every socket is destroyed by now; only the log can still be slow.
      this.#context.logger.warn(
        { reason: messageOf(error) },
        'the egress gateway closed before its last events were in the log',
      );
    }
    await rm(this.socketPath, { force: true });
  }

  async #settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight);
  }

  #cutAll(why: string): void {
    if (!this.#shut.signal.aborted) this.#shut.abort(new EgressShut(why));
    for (const socket of this.#sockets) socket.destroy();
  }

  #track(socket: Socket): void {
    if (this.#shut.signal.aborted) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const turn = this.#pipelining.enter(socket, response, () => handleRequest(this.#context, request, response));
    if (turn) this.#run(turn, socket);
    else
      this.#onFlood(
        socket,
        request.method ?? '',
        `more than ${this.#limits.maxPipelined} requests were sent ahead of their answers`,
      );
  }

  #onConnect(request: IncomingMessage, socket: Socket, head: Buffer): void {
    // The HTTP server takes its own handlers off; without one an error would end the process.
    socket.on('error', (error) =>
      this.#context.logger.debug({ reason: error.message }, 'a tunnel of the sandbox failed'),
    );
    if (this.#pipelining.busy(socket))
      this.#onFlood(socket, 'CONNECT', 'a CONNECT was sent ahead of the answer to another request');
    else this.#run(handleConnect(this.#context, request, socket, head), socket);
  }

  /** Cuts a connection that runs ahead. One buffer may hold thousands of requests; they are one attempt and one event. */
  #onFlood(socket: Socket, method: string, why: string): void {
    if (socket.destroyed) return;
    socket.destroy();
    const asked = { protocol: 'http', method, host: '', port: 0 } as const;
    const denial = { decision: 'deny', rule: 'pipeline-limit', reason: `The connection was cut: ${why}.` } as const;
    this.#run(
      refuse(this.#context, asked, denial).then(() => undefined),
      socket,
    );
  }

  /** What Node's parser refused, or what took too long. Only the former is an attempt at something. */
  #onClientError(error: NodeJS.ErrnoException, socket: Socket): void {
    if (socket.destroyed || !socket.writable) {
      socket.destroy();
      return;
    }
    const { code = '' } = error;
    if (code === 'ERR_HTTP_REQUEST_TIMEOUT')
      return refuseSocket(socket, badRequest(408, 'The request took too long to arrive.'));
    if (!code.startsWith('HPE_')) {
      socket.destroy();
      return;
    }
    const message = `The bytes sent are not a valid HTTP request (${code}).`;
    const asked = { protocol: 'http', method: '', host: '', port: 0 } as const;
    const answer = async (): Promise<void> => {
      await refuse(this.#context, asked, { decision: 'deny', rule: 'malformed-request', reason: message });
      refuseSocket(socket, badRequest(code === 'HPE_HEADER_OVERFLOW' ? 431 : 400, message));
    };
    this.#run(answer(), socket);
  }

  #recordSurplus(surplus: number): void {
    const asked = { protocol: 'connect', method: '', host: '', port: 0 } as const;
    const reason = `${surplus} connections were refused: a sandbox may have ${this.#limits.maxConnections} at a time.`;
    this.#run(
      refuse(this.#context, asked, { decision: 'deny', rule: 'connection-limit', reason }).then(() => undefined),
      undefined,
    );
  }

  /** Owns a piece of work: `close()` waits for it, and whatever goes wrong in it ends its connection and nothing else. */
  #run(work: Promise<void>, socket: Socket | undefined): void {
    const owned = work
      .catch((error: unknown) => {
        socket?.destroy();
        if (!(error instanceof EgressShut))
          this.#context.logger.error({ err: error }, 'a connection failed unexpectedly');
      })
      .finally(() => this.#inFlight.delete(owned));
    this.#inFlight.add(owned);
  }
}

function badRequest(status: Refusal['status'], message: string): Refusal {
  return { status, code: 'bad_request', message, rule: 'malformed-request', host: '', port: 0 };
}
