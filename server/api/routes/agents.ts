import { z } from 'zod';
import { agent, agentInput, agentPatch, page } from '../../../shared/protocol/rest.ts';
import type { Agents } from '../../agents/agents.ts';
import { route, type AnyRoute } from '../route.ts';

const byId = z.object({ id: z.string().min(1).max(100) });

export function agentRoutes({ agents }: { agents: Agents }): AnyRoute[] {
  return [
    route({
      method: 'get',
      path: '/agents',
      summary: 'List agents, the built-in ones first',
      scope: 'environments:read',
      response: page(agent),
      handle: async ({ identity }) => ({ items: await agents.list(identity.organizationId) }),
    }),
    route({
      method: 'post',
      path: '/agents',
      summary: 'Add an agent: an ACP command in the sandbox',
      scope: 'agents:write',
      idempotent: true,
      body: agentInput,
      response: agent,
      status: 201,
      handle: ({ identity, body }) => agents.create(identity.organizationId, body),
    }),
    route({
      method: 'get',
      path: '/agents/:id',
      summary: 'Read an agent, by id or name',
      scope: 'environments:read',
      params: byId,
      response: agent,
      handle: ({ identity, params }) => agents.get(identity.organizationId, params.id),
    }),
    route({
      method: 'patch',
      path: '/agents/:id',
      summary: 'Change an agent of your own',
      scope: 'agents:write',
      params: byId,
      body: agentPatch,
      response: agent,
      handle: ({ identity, params, body }) => agents.update(identity.organizationId, params.id, body),
    }),
    route({
      method: 'delete',
      path: '/agents/:id',
      summary: 'Delete an agent of your own',
      scope: 'agents:write',
      params: byId,
      handle: async ({ identity, params }) => {
        await agents.delete(identity.organizationId, params.id);
        return undefined;
      },
    }),
  ];
}
