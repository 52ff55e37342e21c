import { CaissonError } from '../protocol/errors.ts';
import { me, streamTicket } from '../protocol/rest.ts';
import type { ClientEvent } from './event.ts';
import { followRun, type FollowOptions } from './follow.ts';
import { createHttp, type HttpOptions } from './http.ts';
import type { ReconnectLimits } from './reconnect.ts';
import { agentsApi, environmentsApi, keysApi, membersApi } from './resources.ts';
import { runsApi } from './runs.ts';
import type { OpenSocket } from './socket.ts';
import { RunStream } from './stream.ts';
import { openTerminal, type Terminal, type TerminalHandlers, type TerminalSize } from './terminal.ts';
import { uploadBundle, type UploadBody, type UploadOptions } from './uploads.ts';

export interface ClientOptions extends HttpOptions {
  /** How a WebSocket is opened (`openWsSocket` in Node); needed for `stream` and `follow` only. */
  readonly openSocket?: OpenSocket;
  readonly reconnectLimits?: ReconnectLimits;
}

/**
 * The one typed client of a Caisson server. Every method rejects with CaissonError: with the server's own code and
 * message where it answered, with `unavailable` and what to do about it where it did not.
 * @throws {CaissonError} when the address or the key cannot be used at all
 */
export function createClient(options: ClientOptions) {
  const http = createHttp(options);
  const runs = runsApi(http);
  let stream: RunStream | undefined;

  /** The client's one event stream; it connects with its first subscription and leaves after the last. */
  function sharedStream(): RunStream {
    if (!options.openSocket) {
      throw new CaissonError('invalid_request', 'This client was made without `openSocket`, so it cannot follow runs');
    }
    const { base, apiKey } = http;
    const limits = options.reconnectLimits;
    stream ??= new RunStream({ base, apiKey, openSocket: options.openSocket, ...(limits && { limits }) });
    return stream;
  }

  return {
    /** The server's address, normalized. */
    baseUrl: http.base.href.replace(/\/$/, ''),
    me: ({ signal }: { readonly signal?: AbortSignal } = {}) =>
      http.json({ method: 'GET', path: '/me', ...(signal && { signal }) }, me),
    runs,
    environments: environmentsApi(http),
    agents: agentsApi(http),
    keys: keysApi(http),
    members: membersApi(http),
    uploads: { create: (body: UploadBody, upload?: UploadOptions) => uploadBundle(http, body, upload) },
    /** A single-use ticket for a WebSocket that cannot send headers. */
    streamTicket: () => http.json({ method: 'POST', path: '/stream-tickets', body: {} }, streamTicket),
    stream: sharedStream,
    /** Every event of a run once and in order, across disconnections, by default until the run has ended. */
    follow: (runId: string, follow?: FollowOptions): AsyncGenerator<ClientEvent, void, undefined> =>
      followRun(sharedStream(), runs, runId, follow),
    /** A shell in the sandbox of an active run. */
    openTerminal: (runId: string, size: TerminalSize, handlers: TerminalHandlers): Terminal =>
      openTerminal({ base: http.base, apiKey: http.apiKey, openSocket: options.openSocket }, runId, size, handlers),
    /** Ends the event stream and with it every `follow`. */
    close: () => stream?.close(),
  };
}

export type Client = ReturnType<typeof createClient>;
