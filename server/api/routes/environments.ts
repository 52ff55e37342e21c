import { z } from 'zod';
import {
  environment,
  environmentInput,
  environmentPatch,
  page,
  secretInput,
  secretName,
} from '../../../shared/protocol/rest.ts';
import type { Environments } from '../../environments/environments.ts';
import { route, type AnyRoute } from '../route.ts';

const byId = z.object({ id: z.string().min(1).max(100) });
const bySecret = byId.extend({ name: secretName });

export function environmentRoutes({ environments }: { environments: Environments }): AnyRoute[] {
  return [
    route({
      method: 'get',
      path: '/environments',
      summary: 'List environments',
      scope: 'environments:read',
      response: page(environment),
      handle: async ({ identity }) => ({ items: await environments.list(identity.organizationId) }),
    }),
    route({
      method: 'post',
      path: '/environments',
      summary: 'Create an environment',
      scope: 'environments:write',
      idempotent: true,
      body: environmentInput,
      response: environment,
      status: 201,
      handle: ({ identity, body }) => environments.create(identity.organizationId, body),
    }),
    route({
      method: 'get',
      path: '/environments/:id',
      summary: 'Read an environment, by id or name',
      scope: 'environments:read',
      params: byId,
      response: environment,
      handle: ({ identity, params }) => environments.get(identity.organizationId, params.id),
    }),
    route({
      method: 'patch',
      path: '/environments/:id',
      summary: 'Change an environment; later runs see it',
      scope: 'environments:write',
      params: byId,
      body: environmentPatch,
      response: environment,
      handle: ({ identity, params, body }) => environments.update(identity.organizationId, params.id, body),
    }),
    route({
      method: 'delete',
      path: '/environments/:id',
      summary: 'Delete an environment',
      scope: 'environments:write',
      params: byId,
      handle: async ({ identity, params }) => {
        await environments.delete(identity.organizationId, params.id);
        return undefined;
      },
    }),
    route({
      method: 'put',
      path: '/environments/:id/secrets/:name',
      summary: 'Set a secret; its value can never be read back',
      scope: 'environments:write',
      params: bySecret,
      body: secretInput,
      handle: async ({ identity, params, body }) => {
        await environments.setSecret(identity.organizationId, params.id, params.name, body.value);
        return undefined;
      },
    }),
    route({
      method: 'delete',
      path: '/environments/:id/secrets/:name',
      summary: 'Delete a secret',
      scope: 'environments:write',
      params: bySecret,
      handle: async ({ identity, params }) => {
        await environments.deleteSecret(identity.organizationId, params.id, params.name);
        return undefined;
      },
    }),
  ];
}
