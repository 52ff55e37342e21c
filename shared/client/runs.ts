import type { z } from 'zod';
import { CaissonError } from '../protocol/errors.ts';
import {
  eventsPage,
  page,
  run,
  runProof,
  type ApprovalInput,
  type Run,
  type RunInput,
  type RunProof,
} from '../protocol/rest.ts';
import { receiveEvent, type ClientEvent } from './event.ts';
import { path, type Http } from './http.ts';

interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

export interface EventsRequest extends Abortable {
  /** Events with a greater `seq`. */
  readonly after?: number;
  readonly limit?: number;
  /** Types or families (`egress.*`); all if absent. */
  readonly types?: readonly string[];
}

export interface RunQuery {
  readonly state?: readonly Run['state'][];
  /** By id or by name. */
  readonly environment?: string;
  readonly member?: string;
  /** RFC 3339 times of creation. */
  readonly from?: string;
  readonly to?: string;
  readonly text?: string;
  readonly limit?: number;
  readonly cursor?: string;
}

const runPage = page(run);

/** Everything that `/v1/runs` offers. Each method rejects with CaissonError. */
export function runsApi(http: Http) {
  const act = (id: string, action: string, body: unknown = {}, signal?: AbortSignal) =>
    http.done({ method: 'POST', path: path`/runs/${id}/` + action, body, signal });

  async function events(id: string, request: EventsRequest = {}) {
    const query = { after: request.after, limit: request.limit, type: request.types?.join(',') };
    const answer = await http.json(
      { method: 'GET', path: path`/runs/${id}/events`, query, signal: request.signal },
      eventsPage,
    );
    return { items: answer.items.map(checkedEvent), nextAfter: answer.nextAfter };
  }

  return {
    list: (query: RunQuery = {}, { signal }: Abortable = {}): Promise<z.output<typeof runPage>> => {
      const { state, ...rest } = query;
      return http.json({ method: 'GET', path: '/runs', query: { ...rest, state: state?.join(',') }, signal }, runPage);
    },
    get: (id: string, { signal }: Abortable = {}): Promise<Run> =>
      http.json({ method: 'GET', path: path`/runs/${id}`, signal }, run),
    /** Starts a run. The key makes a repeated request (a lost answer, say) start nothing twice. */
    create: (input: RunInput, { signal, idempotencyKey }: Abortable & { idempotencyKey?: string } = {}): Promise<Run> =>
      http.json(
        {
          method: 'POST',
          path: '/runs',
          body: input,
          headers: { 'idempotency-key': idempotencyKey ?? crypto.randomUUID() },
          repeatable: true,
          signal,
        },
        run,
      ),
    delete: (id: string): Promise<void> => http.done({ method: 'DELETE', path: path`/runs/${id}` }),
    cancel: (id: string): Promise<void> => act(id, 'cancel'),
    pause: (id: string): Promise<void> => act(id, 'pause'),
    resume: (id: string): Promise<void> => act(id, 'resume'),
    finish: (id: string): Promise<void> => act(id, 'finish'),
    sendMessage: (id: string, text: string): Promise<void> => act(id, 'messages', { text }),
    approve: (id: string, approvalId: string, answer: ApprovalInput): Promise<void> =>
      act(id, path`approvals/${approvalId}`, answer),
    events,
    /** Every event after `after`, page by page, until the log's present end. */
    async *allEvents(id: string, request: EventsRequest = {}): AsyncGenerator<ClientEvent, void, undefined> {
      let after: number | undefined = request.after ?? 0;
      while (after !== undefined) {
        const answer: Awaited<ReturnType<typeof events>> = await events(id, { limit: 1000, ...request, after });
        yield* answer.items;
        // A cursor that does not move would ask for the same page for ever.
        after = answer.nextAfter !== undefined && answer.nextAfter > after ? answer.nextAfter : undefined;
      }
    },
    /** The patch as git made it; bytes, because a diff has the encoding of the files. Empty where nothing changed. */
    patch: (id: string, { signal }: Abortable = {}): Promise<Uint8Array> =>
      http.bytes({ method: 'GET', path: path`/runs/${id}/patch`, signal }),
    /** A git bundle with the run's branch. */
    bundle: (id: string, { signal }: Abortable = {}): Promise<ReadableStream<Uint8Array>> =>
      http.stream({ method: 'GET', path: path`/runs/${id}/bundle`, signal }),
    proof: (id: string, { signal }: Abortable = {}): Promise<RunProof> =>
      http.json({ method: 'GET', path: path`/runs/${id}/proof`, signal }, runProof),
  };
}

function checkedEvent(input: unknown): ClientEvent {
  try {
    return receiveEvent(input);
  } catch (error) {
    throw new CaissonError('internal', 'The server sent an event that does not have the form of its type', {
      cause: error,
    });
  }
}
