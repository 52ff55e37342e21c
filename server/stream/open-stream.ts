import type { IncomingMessage, Server } from 'node:http';
import { bearerOf } from '../api/authenticate.ts';
import type { ApiKeys } from '../auth/api-keys.ts';
import { requireScope, type Identity } from '../auth/identity.ts';
import type { StreamTickets } from '../auth/tickets.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { EventLog } from '../events/ports.ts';
import type { RunService } from '../runs/run-service.ts';
import { createStreamServer, type StreamServer } from './ws-server.ts';

/** The services that the stream stands on. */
export interface StreamServices {
  readonly log: Pick<EventLog, 'range' | 'subscribe'>;
  readonly apiKeys: ApiKeys;
  readonly tickets: StreamTickets;
  readonly runs: RunService;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Opens the stream on an HTTP server: the same keys, scopes and services as the API. */
export function openStream(services: StreamServices, server: Server): Pick<StreamServer, 'connections' | 'close'> {
  const { log, apiKeys, tickets, runs, clock, logger } = services;
  const stream = createStreamServer<Identity>({
    log,
    clock,
    logger,
    authorize: async (request) => (await identityOf(request, apiKeys, tickets)) ?? null,
    actions: {
      async checkReadable(identity, runId) {
        requireScope(identity, 'runs:read');
        await runs.get(identity, runId);
      },
      async sendMessage(identity, runId, text) {
        requireScope(identity, 'runs:write');
        await runs.sendMessage(identity, runId, text);
      },
      async approve(identity, runId, approvalId, optionId) {
        requireScope(identity, 'runs:write');
        await runs.approve(identity, runId, approvalId, { optionId });
      },
      async openTerminal(identity, runId, terminalId, size, signal) {
        requireScope(identity, 'runs:write');
        return runs.openTerminal(identity, runId, { terminalId, size, signal });
      },
    },
  });
  server.on('upgrade', stream.handleUpgrade);
  const forget = apiKeys.onRevoked((keyId) => stream.closeByKey(keyId));
  return {
    get connections() {
      return stream.connections;
    },
    async close() {
      forget();
      // Later upgrades are still answered: a refusal is better than a connection that hangs.
      await stream.close();
    },
  };
}

async function identityOf(
  request: IncomingMessage,
  apiKeys: ApiKeys,
  tickets: StreamTickets,
): Promise<Identity | undefined> {
  const presented = bearerOf(request);
  if (presented !== undefined) return await apiKeys.authenticate(presented);
  const ticket = new URL(request.url ?? '/', 'http://stream').searchParams.get('ticket');
  const keyId = ticket === null ? undefined : tickets.redeem(ticket);
  return keyId === undefined ? undefined : await apiKeys.identify(keyId);
}
