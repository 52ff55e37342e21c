import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import { CaissonError, invalidRequest } from '../../../shared/protocol/errors.ts';
import {
  approvalInput,
  eventsPage,
  eventsQuery,
  messageInput,
  page,
  run,
  runId,
  runInput,
  runListQuery,
  runProof,
} from '../../../shared/protocol/rest.ts';
import type { EventLog } from '../../events/ports.ts';
import type { RunBlobs, BlobName } from '../../runs/run-blobs.ts';
import type { RunProofs } from '../../audit/run-proofs.ts';
import type { RunService } from '../../runs/run-service.ts';
import { route, type AnyRoute } from '../route.ts';

const byId = z.object({ id: runId });
const EVENT_FILTER = /^[a-z_]+\.(\*|[a-z_]+)$|^error$/;

export function runRoutes({
  runs,
  log,
  blobs,
  proofs,
}: {
  runs: RunService;
  log: EventLog;
  blobs: RunBlobs;
  proofs: RunProofs;
}): AnyRoute[] {
  const action = (
    path: string,
    summary: string,
    act: (identity: Parameters<RunService['cancel']>[0], id: string) => Promise<void>,
  ) =>
    route({
      method: 'post',
      path: `/runs/:id/${path}`,
      summary,
      scope: 'runs:write',
      params: byId,
      response: run,
      handle: async ({ identity, params }) => {
        await act(identity, params.id);
        return runs.get(identity, params.id);
      },
    });

  const download = (name: BlobName, type: string, summary: string) =>
    route({
      method: 'get',
      path: `/runs/:id/${name}`,
      summary,
      scope: 'runs:read',
      params: byId,
      produces: type,
      handle: async ({ identity, params, response, signal }) => {
        const { patch } = await runs.get(identity, params.id);
        // A run that changed nothing has an empty patch, which applies to everything.
        const content = name === 'patch' && patch === null ? Readable.from([]) : await blobs.read(params.id, name);
        if (!content)
          throw new CaissonError(
            'not_found',
            `The run ${params.id} has no ${name}: it has not ended, or it changed nothing.`,
          );
        response.type(type);
        await pipeline(content, response, { signal });
        return undefined;
      },
    });

  return [
    route({
      method: 'post',
      path: '/runs',
      summary: 'Start a run',
      scope: 'runs:write',
      limit: 'runs',
      idempotent: true,
      body: runInput,
      response: run,
      status: 201,
      handle: ({ identity, body }) => runs.create(identity, body),
    }),
    route({
      method: 'get',
      path: '/runs',
      summary: 'List runs, newest first',
      scope: 'runs:read',
      query: runListQuery,
      response: page(run),
      handle: ({ identity, query }) => runs.list(identity, query),
    }),
    route({
      method: 'get',
      path: '/runs/:id',
      summary: 'Read a run',
      scope: 'runs:read',
      params: byId,
      response: run,
      handle: ({ identity, params }) => runs.get(identity, params.id),
    }),
    route({
      method: 'delete',
      path: '/runs/:id',
      summary: 'Destroy a finished run’s data',
      scope: 'runs:write',
      params: byId,
      handle: async ({ identity, params }) => {
        await runs.delete(identity, params.id);
        return undefined;
      },
    }),
    action('cancel', 'Cancel a run', (identity, id) => runs.cancel(identity, id)),
    action('pause', 'Freeze a run', (identity, id) => runs.pause(identity, id)),
    action('resume', 'Go on with a paused run', (identity, id) => runs.resume(identity, id)),
    action('finish', 'End an interactive run after its present turn', (identity, id) => runs.finish(identity, id)),
    route({
      method: 'post',
      path: '/runs/:id/messages',
      summary: 'Send a follow-up message',
      scope: 'runs:write',
      params: byId,
      body: messageInput,
      response: run,
      handle: async ({ identity, params, body }) => {
        await runs.sendMessage(identity, params.id, body.text);
        return runs.get(identity, params.id);
      },
    }),
    route({
      method: 'post',
      path: '/runs/:id/approvals/:approvalId',
      summary: 'Answer an approval',
      scope: 'runs:write',
      params: byId.extend({ approvalId: z.string().max(100) }),
      body: approvalInput,
      response: run,
      handle: async ({ identity, params, body }) => {
        await runs.approve(identity, params.id, params.approvalId, body);
        return runs.get(identity, params.id);
      },
    }),
    route({
      method: 'get',
      path: '/runs/:id/events',
      summary: 'Read a run’s events in order',
      scope: 'runs:read',
      params: byId,
      query: eventsQuery,
      response: eventsPage,
      handle: async ({ identity, params, query }) => {
        await runs.get(identity, params.id);
        const types = eventFilter(query.type);
        const items = await log.range(params.id, {
          after: query.after,
          limit: query.limit,
          ...(types ? { types } : {}),
        });
        const last = items.at(-1);
        return items.length === query.limit && last
          ? { items: [...items], nextAfter: last.seq }
          : { items: [...items] };
      },
    }),
    route({
      method: 'get',
      path: '/runs/:id/proof',
      summary: 'What is needed to verify a run’s chain without its data',
      scope: 'runs:read',
      params: byId,
      response: runProof,
      handle: async ({ identity, params }) => {
        await runs.get(identity, params.id);
        return proofs.of(params.id);
      },
    }),
    download('patch', 'text/x-diff', 'Download a run’s patch'),
    download('bundle', 'application/x-git-bundle', 'Download a bundle of a run’s branch'),
  ];
}

function eventFilter(text: string | undefined): string[] | undefined {
  if (text === undefined) return undefined;
  const parsed = z
    .array(z.string().regex(EVENT_FILTER, 'is not an event type or a family like egress.*'))
    .max(20)
    .safeParse(text.split(','));
  if (!parsed.success) throw invalidRequest('query', parsed.error);
  return parsed.data;
}
