import { createServer, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createClient } from '../../../shared/client/client.ts';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { RUN_ID, runEvent } from '../../support/run-events.ts';
import { sendJson, startApiDouble, type ApiDouble } from '../../support/api-double.ts';

const apiKey = 'csn_dev_0123456789abcdef';
const run = {
  id: RUN_ID,
  title: 't',
  prompt: 'p',
  state: 'queued',
  agent: { id: 'shell', name: 'shell' },
  environment: { id: 'env_1', name: 'default' },
  source: { kind: 'none' },
  createdBy: { memberId: 'mem_1', keyId: 'key_1' },
  createdAt: '2025-01-01T00:00:00.000Z',
  lastSeq: 1,
  sandboxed: true,
  interactive: false,
  pendingApprovals: [],
  egress: { allowed: 0, denied: 0 },
  processes: 0,
};

let double: ApiDouble;
beforeEach(async () => {
  double = await startApiDouble();
});
afterEach(() => double[Symbol.asyncDispose]());

const client = (options: object = {}) => createClient({ baseUrl: double.baseUrl, apiKey, ...options });
const failure = async (promise: Promise<unknown>): Promise<CaissonError> => {
  const error = await promise.then(
    () => new Error('it did not fail'),
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(CaissonError);
  return error as CaissonError;
};

describe('requests', () => {
  test('carry the key, an idempotency key, and encoded parts', async () => {
    double.reply = (_request, response) => sendJson(response, 201, { ...run, fromTheFuture: 1 });
    const created = await client().runs.create({ prompt: 'hello' });
    expect(created).not.toHaveProperty('fromTheFuture');
    await client().runs.get('../keys?x');
    await client().runs.approve(RUN_ID, 'a/b', { decision: 'allow' });
    const [create, get, approve] = double.requests;
    expect(create).toMatchObject({ method: 'POST', url: '/v1/runs' });
    expect(create!.headers.authorization).toBe(`Bearer ${apiKey}`);
    expect(create!.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(JSON.parse(create!.body.toString())).toEqual({ prompt: 'hello' });
    expect(get!.url).toBe('/v1/runs/..%2Fkeys%3Fx');
    expect(approve!.url).toBe(`/v1/runs/${RUN_ID}/approvals/a%2Fb`);
  });

  test('a query holds what was asked for and nothing else', async () => {
    double.reply = (_request, response) => sendJson(response, 200, { items: [] });
    await client().runs.list({ state: ['running', 'waiting'], text: 'a b', limit: 5 });
    expect(double.requests[0]!.url).toBe('/v1/runs?text=a+b&limit=5&state=running%2Cwaiting');
  });

  test('all events come page by page, unknown types and unknown fields included', async () => {
    const odd = { ...runEvent(3, 'error'), type: 'agent.dream', data: { depth: 1 } };
    const newer = { ...runEvent(1, 'run.message'), data: { text: 'hi', tone: 'kind' } };
    double.reply = ({ url }, response) => {
      const after = Number(new URL(url, 'http://x').searchParams.get('after'));
      if (after === 0) sendJson(response, 200, { items: [newer, runEvent(2, 'error')], nextAfter: 2 });
      else sendJson(response, 200, { items: [odd] });
    };
    const events = [];
    for await (const event of client().runs.allEvents(RUN_ID)) events.push(event);
    expect(events.map((event) => event.type)).toEqual(['run.message', 'error', 'unknown:agent.dream']);
    // What the chain commits to must not lose a field that a newer server added.
    expect(events[0]!.data).toEqual({ text: 'hi', tone: 'kind' });
  });

  test('an upload is streamed with its progress', async () => {
    double.reply = ({ body }, response) =>
      sendJson(response, 201, {
        id: 'upl_01jx0000000000000000000000',
        bytes: body.length,
        sha256: 'a',
        createdAt: run.createdAt,
        expiresAt: run.createdAt,
      });
    const progress: number[] = [];
    const bytes = new Uint8Array(600_000).fill(7);
    const upload = await client().uploads.create(bytes, { onProgress: (sent) => progress.push(sent) });
    expect(upload.bytes).toBe(bytes.length);
    expect(double.requests[0]!.headers['content-type']).toBe('application/x-git-bundle');
    expect(double.requests[0]!.body.equals(bytes)).toBe(true);
    expect(progress.at(-1)).toBe(bytes.length);
    expect(progress.length).toBeGreaterThan(1);
  });

  test('an upload that stands still is given up', async () => {
    async function* stuck() {
      yield new Uint8Array(10);
      await new Promise(() => undefined);
    }
    const error = await failure(client().uploads.create(stuck(), { stallMs: 50 }));
    expect(error.message).toContain('did not move');
  });
});

describe('errors of the server', () => {
  test('keep code, message, fields and request id', async () => {
    const details = [{ path: 'prompt', message: 'must not be empty' }];
    double.reply = (_request, response) =>
      sendJson(response, 400, {
        error: { code: 'invalid_request', message: 'No prompt', details, requestId: 'req_9' },
      });
    const error = await failure(client().runs.create({ prompt: '' }));
    expect(error).toMatchObject({ code: 'invalid_request', message: 'No prompt', details, requestId: 'req_9' });
  });

  test('something else in the place of the server is named as such', async () => {
    double.reply = (_request, response) => response.writeHead(404).end('<html>nginx</html>');
    const error = await failure(client().me());
    expect(error.code).toBe('not_found');
    expect(error.message).toContain('not a Caisson server');
  });

  test('a redirect is not followed with the key', async () => {
    double.reply = (_request, response) => response.writeHead(302, { location: '/elsewhere' }).end();
    expect((await failure(client().me())).message).toContain('redirects');
    expect(double.requests).toHaveLength(1);
  });

  test('an answer of another form names the field', async () => {
    double.reply = (_request, response) => sendJson(response, 200, { ...run, state: 'dreaming' });
    expect((await failure(client().runs.get(RUN_ID))).message).toContain('state');
  });

  test('a limit that passes soon is waited for, on GET', async () => {
    const limited = { error: { code: 'rate_limited', message: 'Slow down.', requestId: 'req_1' } };
    double.reply = (_request, response) =>
      double.requests.length === 1
        ? sendJson(response, 429, limited, { 'retry-after': '0' })
        : sendJson(response, 200, run);
    expect((await client().runs.get(RUN_ID)).id).toBe(RUN_ID);
    expect(double.requests).toHaveLength(2);
  });

  test('a limit that lasts is told, and a message is never sent twice', async () => {
    const limited = { error: { code: 'rate_limited', message: 'Slow down.', requestId: 'req_1' } };
    double.reply = (_request, response) => sendJson(response, 429, limited, { 'retry-after': '600' });
    const error = await failure(client().runs.get(RUN_ID));
    expect(error.message).toBe('Slow down. Try again in 600 s.');
    double.reply = (_request, response) => sendJson(response, 503, limited, { 'retry-after': '0' });
    double.requests.length = 0;
    await failure(client().runs.sendMessage(RUN_ID, 'hi'));
    expect(double.requests).toHaveLength(1);
  });
});

describe('failures of the network, in words', () => {
  test('nobody listens', async () => {
    const gone = await startApiDouble();
    await gone[Symbol.asyncDispose]();
    const error = await failure(createClient({ baseUrl: gone.baseUrl, apiKey }).me());
    expect(error.code).toBe('unavailable');
    expect(error.message).toBe(
      `Cannot reach ${gone.baseUrl}/v1/me (ECONNREFUSED). Nothing listens there. ` +
        'Start the server with `caisson serve`, or set CAISSON_URL to where it runs.',
    );
  });

  test('no such host', async () => {
    const error = await failure(createClient({ baseUrl: 'http://no-such-host.invalid', apiKey }).me());
    expect(error.message).toMatch(/The host name is not known/);
  });

  test('no TLS on the other side', async () => {
    const error = await failure(createClient({ baseUrl: double.baseUrl.replace('http', 'https'), apiKey }).me());
    expect(error.message).toContain('Use http://');
  });

  test('no HTTP on the other side', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const error = await failure(createClient({ baseUrl: `http://127.0.0.1:${port}`, apiKey }).me());
    server.close();
    expect(error.message).toContain('does not speak HTTP');
  });

  test('no answer in time', async () => {
    double.reply = () => undefined;
    expect((await failure(client({ timeoutMs: 40 }).me())).message).toContain('did not answer in time');
  });

  test('an abort is the caller’s own and no error of ours', async () => {
    double.reply = () => undefined;
    const abort = new AbortController();
    const got = client().runs.get(RUN_ID, { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(got).rejects.toThrow('enough');
  });
});

describe('addresses and keys', () => {
  test.each(['localhost:7480', 'ftp://x', '', 'http://user:secret@host'])('%j is refused', (baseUrl) => {
    expect(() => createClient({ baseUrl, apiKey })).toThrow(CaissonError);
  });

  test('a key that cannot stand in a header is not quoted', () => {
    const broken = 'csn_live_abc\ndef';
    expect(() => createClient({ baseUrl: double.baseUrl, apiKey: broken })).toThrow(/Copy it again/);
    expect(() => createClient({ baseUrl: double.baseUrl, apiKey: broken })).not.toThrow(/csn_live/);
  });
});
