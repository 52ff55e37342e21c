import { generateKeyPairSync, sign } from 'node:crypto';
import { GENESIS, commit, entryOf, extend } from '../../shared/audit/chain.ts';
import { formatNoteKey, signRunHead } from '../../shared/audit/checkpoint.ts';
import type { RunEvent } from '../../shared/protocol/events.ts';
import { initialRunView, reduceRun } from '../../shared/run/reduce.ts';
import { sendJson, startApiDouble, type ApiDouble, type Recorded } from './api-double.ts';
import { RUN_ID, runEvent } from './run-events.ts';

export interface ServerDouble extends ApiDouble {
  /** The one run's log, chained; `append` also sends it to whoever follows. */
  readonly log: RunEvent[];
  append(...events: RunEvent[]): void;
  patch: string;
  /** Called with each request that acts on the run: `cancel`, `messages`, … */
  onAction: (action: string, body: unknown) => void;
  /** Requests without the GETs. */
  actions(): string[];
}

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const rawPublicKey = Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url');
const noteKey = { name: 'double', publicKey: new Uint8Array(rawPublicKey) };

/** A server of one run, with a real chain and a real signature: enough to drive the command line against. */
export async function startServerDouble(): Promise<ServerDouble> {
  const api = await startApiDouble();
  const double: ServerDouble = Object.assign(api, {
    log: [] as RunEvent[],
    patch: '',
    onAction: () => undefined,
    actions: () =>
      api.requests
        .filter(({ method }) => !['GET', 'UPGRADE'].includes(method))
        .map(({ method, url }) => `${method} ${url}`),
    append: (...events: RunEvent[]) => {
      for (const event of events) {
        const placed = { ...event, seq: double.log.length + 1 };
        const hash = extend(double.log.at(-1)?.hash ?? GENESIS, entryOf(placed));
        double.log.push({ ...placed, hash });
        for (const peer of double.peers)
          if (peer.socket.readyState === 1) peer.send({ type: 'event', event: double.log.at(-1)! });
      }
    },
  });
  double.onMessage = (peer, message) => {
    if (message.type !== 'subscribe') return;
    for (const event of double.log) if (event.seq > message.after) peer.send({ type: 'event', event });
    peer.send({ type: 'caught_up', runId: message.runId, seq: double.log.length });
  };
  double.reply = (request, response) => {
    const found = answer(double, request);
    if (found instanceof Buffer) response.writeHead(200, { 'content-type': 'text/x-diff' }).end(found);
    else if (found !== undefined) sendJson(response, 200, found);
    else
      sendJson(response, 404, {
        error: { code: 'not_found', message: `There is no ${request.url}`, requestId: 'req_1' },
      });
  };
  return double;
}

function runOf(double: ServerDouble) {
  const view = double.log.reduce(reduceRun, initialRunView(RUN_ID));
  return {
    ...view,
    id: RUN_ID,
    createdAt: view.createdAt ?? runEvent(1, 'error').at,
    createdBy: { memberId: 'mem_1', keyId: 'key_1' },
    pendingApprovals: view.pendingApprovals.map((pending) => pending.approvalId),
  };
}

function proofOf({ log }: ServerDouble) {
  const entries = log.map(({ seq, at, type, actor, data, nonce, hash }) => ({
    seq,
    at,
    type,
    actor,
    commitment: commit(nonce, data),
    hash,
  }));
  const head = { seq: log.length, hash: log.at(-1)?.hash ?? GENESIS };
  const note = signRunHead(
    { runId: RUN_ID, ...head },
    noteKey,
    (message) => new Uint8Array(sign(null, message, privateKey)),
  );
  return { runId: RUN_ID, entries, head, note, publicKey: formatNoteKey(noteKey) };
}

function answer(double: ServerDouble, { method, url, body }: Recorded): unknown {
  const { pathname, searchParams } = new URL(url, 'http://double');
  const parsed: unknown = body.length > 0 && !pathname.endsWith('/uploads') ? JSON.parse(body.toString()) : undefined;
  const at = runEvent(1, 'error').at;
  if (method === 'POST' && pathname === '/v1/uploads')
    return { id: 'upl_01jx0000000000000000000000', bytes: body.length, sha256: 'a', createdAt: at, expiresAt: at };
  if (pathname === '/v1/runs') {
    if (method === 'POST') double.onAction('create', parsed);
    return method === 'POST' ? runOf(double) : { items: [runOf(double)] };
  }
  if (pathname === `/v1/runs/${RUN_ID}`) return runOf(double);
  const action = new RegExp(`^/v1/runs/${RUN_ID}/(.+)$`).exec(pathname)?.[1];
  if (action === 'events')
    return { items: double.log.filter((event) => event.seq > Number(searchParams.get('after'))) };
  if (action === 'proof') return proofOf(double);
  if (action === 'patch') return Buffer.from(double.patch);
  if (action === undefined || method !== 'POST') return undefined;
  double.onAction(action, parsed);
  return runOf(double);
}
