import { z } from 'zod';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import {
  apiKey,
  apiKeyCreated,
  apiKeyInput,
  id,
  listQuery,
  me,
  page,
  streamTicket,
} from '../../../shared/protocol/rest.ts';
import type { ApiKeys } from '../../auth/api-keys.ts';
import type { StreamTickets } from '../../auth/tickets.ts';
import type { Clock } from '../../base/clock.ts';
import type { Organizations } from '../../orgs/organizations.ts';
import { route, type AnyRoute } from '../route.ts';

export interface KeyRouteOptions {
  readonly apiKeys: ApiKeys;
  readonly tickets: StreamTickets;
  readonly organizations: Organizations;
  readonly server: { readonly id: string; readonly version: string };
  readonly clock: Clock;
}

export function keyRoutes({ apiKeys, tickets, organizations, server, clock }: KeyRouteOptions): AnyRoute[] {
  return [
    route({
      method: 'get',
      path: '/me',
      summary: 'Who this key stands for, and which server this is',
      scope: 'any',
      response: me,
      handle: async ({ identity }) => {
        const [member, organization, key] = await Promise.all([
          organizations.member(identity.memberId),
          organizations.get(identity.organizationId),
          apiKeys.get(identity.organizationId, identity.keyId),
        ]);
        if (!member || !organization)
          throw new CaissonError('not_found', 'The member of this key does not exist any more.');
        return {
          member: { id: member._id, name: member.name, role: member.role },
          organization: { id: organization._id, name: organization.name },
          key,
          server: { ...server, time: clock.now().toISOString() },
        };
      },
    }),
    route({
      method: 'get',
      path: '/api-keys',
      summary: 'List API keys',
      scope: 'keys:write',
      query: listQuery,
      response: page(apiKey),
      handle: ({ identity, query }) => apiKeys.list(identity.organizationId, query.limit, query.cursor),
    }),
    route({
      method: 'post',
      path: '/api-keys',
      summary: 'Create an API key; it is shown this once',
      scope: 'keys:write',
      body: apiKeyInput,
      response: apiKeyCreated,
      status: 201,
      handle: async ({ identity, body }) => {
        const beyond = body.scopes.filter((scope) => !identity.scopes.includes(scope));
        if (beyond.length > 0)
          throw new CaissonError(
            'forbidden',
            `A key can only pass on scopes that it has; this one has not: ${beyond.join(', ')}.`,
          );
        const { organizationId, memberId, role } = identity;
        const created = await apiKeys.create({
          organizationId,
          memberId,
          role,
          name: body.name,
          scopes: body.scopes,
          expiresAt: body.expiresAt,
        });
        return { ...created.apiKey, key: created.key };
      },
    }),
    route({
      method: 'delete',
      path: '/api-keys/:id',
      summary: 'Revoke an API key at once; its open streams close',
      scope: 'keys:write',
      params: z.object({ id: id('key') }),
      handle: async ({ identity, params }) => {
        await apiKeys.revoke(identity.organizationId, params.id);
        return undefined;
      },
    }),
    route({
      method: 'post',
      path: '/stream-tickets',
      summary: 'A single-use ticket of 30 s for the stream, for clients that cannot set headers',
      scope: 'runs:read',
      response: streamTicket,
      status: 201,
      handle: async ({ identity }) => tickets.issue(identity.keyId),
    }),
  ];
}
