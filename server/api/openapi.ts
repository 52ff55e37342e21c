import { z } from 'zod';
import { errorBody } from '../../shared/protocol/errors.ts';
import { API_PREFIX } from '../../shared/protocol/version.ts';
import type { AnyRoute } from './route.ts';

/** The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.0), made from the routes and their schemas. */
export function openApiDocument(routes: readonly AnyRoute[], version: string): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    (paths[path] ??= {})[route.method] = operation(route);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Caisson',
      version,
      description: 'Runs coding agents in sealed gVisor sandboxes, with proof of what they did.',
    },
    servers: [{ url: API_PREFIX }],
    components: {
      securitySchemes: { apiKey: { type: 'http', scheme: 'bearer', description: 'An API key: csn_live_…' } },
      schemas: { Error: toSchema(errorBody, 'output') },
    },
    security: [{ apiKey: [] }],
    paths,
  };
}

function operation(route: AnyRoute): Record<string, unknown> {
  const status = String(route.status ?? (route.response || route.produces ? 200 : 204));
  const content = route.response
    ? { 'application/json': { schema: toSchema(route.response, 'output') } }
    : route.produces
      ? { [route.produces]: { schema: { type: 'string', format: 'binary' } } }
      : undefined;
  return {
    summary: route.summary,
    ...(route.scope === 'public' ? { security: [] } : {}),
    ...(route.scope !== 'public' && route.scope !== 'any'
      ? { description: `Needs the scope \`${route.scope}\`.` }
      : {}),
    parameters: [...parameters(route, 'path'), ...parameters(route, 'query'), ...idempotencyParameter(route)],
    ...(route.body
      ? { requestBody: { required: true, content: { 'application/json': { schema: toSchema(route.body, 'input') } } } }
      : {}),
    ...(route.consumes
      ? {
          requestBody: {
            required: true,
            content: { [route.consumes]: { schema: { type: 'string', format: 'binary' } } },
          },
        }
      : {}),
    responses: {
      [status]: { description: 'Done.', ...(content ? { content } : {}) },
      default: {
        description: 'An error.',
        content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
      },
    },
  };
}

function parameters(route: AnyRoute, where: 'path' | 'query'): Record<string, unknown>[] {
  const schema = where === 'path' ? route.params : route.query;
  if (!schema) return [];
  const { properties = {}, required = [] } = toSchema(schema, 'input') as {
    properties?: Record<string, unknown>;
    required?: string[];
  };
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: property,
  }));
}

function idempotencyParameter(route: AnyRoute): Record<string, unknown>[] {
  if (!route.idempotent) return [];
  return [
    {
      name: 'Idempotency-Key',
      in: 'header',
      required: false,
      description: 'The same value gives the first answer again, for a day.',
      schema: { type: 'string', maxLength: 255 },
    },
  ];
}

function toSchema(schema: z.ZodType, io: 'input' | 'output'): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' }) as Record<
    string,
    unknown
  >;
  return rest;
}
