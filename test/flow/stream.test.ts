import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { API_PREFIX, STREAM_SUBPROTOCOL } from '../../shared/protocol/version.ts';
import { withDeadline } from '../../server/base/lifecycle.ts';
import { secondOrganization } from '../support/organizations.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { startTestServer, untilEnded, untilEvent, type TestServer } from '../support/server.ts';

interface Message {
  readonly type: string;
  readonly runId?: string;
  readonly seq?: number;
  readonly code?: string;
  readonly message?: string;
  readonly event?: { readonly seq: number; readonly type: string; readonly data: Record<string, unknown> };
}

/** A raw client, as somebody who writes their own would have it. */
interface Raw extends Disposable {
  readonly socket: WebSocket;
  readonly messages: Message[];
  readonly closed: Promise<{ code: number; reason: string }>;
  send(message: unknown): void;
  until(matches: (message: Message) => boolean): Promise<Message>;
}

const COUNT = 'i=0; while [ $i -lt 60 ]; do echo "line $i"; i=$((i+1)); sleep 0.05; done';

describeSandboxed('the stream', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer();
  });
  afterAll(async () => caisson?.close());

  const address = (query = '') => `${caisson.url.replace('http', 'ws')}${API_PREFIX}/stream${query}`;
  const open = (options: { key?: string; query?: string; protocol?: string; origin?: string } = {}): Raw => {
    const { key, query, protocol = STREAM_SUBPROTOCOL, origin } = options;
    const headers = { ...(key && { authorization: `Bearer ${key}` }), ...(origin && { origin }) };
    return raw(new WebSocket(address(query), protocol, { headers }));
  };
  const opened = async (options: Parameters<typeof open>[0] = { key: caisson.apiKey }): Promise<Raw> => {
    const client = open(options);
    await withDeadline(once(client.socket, 'open'), 10_000, 'The handshake');
    return client;
  };
  const start = async (prompt: string) => (await caisson.client.runs.create({ prompt })).id;
  const finishedRun = async () => {
    const id = await start('echo done');
    await untilEnded(caisson.client, id);
    return id;
  };

  test.each([
    ['no key', {}],
    ['a key that does not exist', { key: `csn_live_${'0'.repeat(64)}` }],
    ['a ticket that is none', { query: '?ticket=nonsense' }],
    ['a key in the address, where logs would have it', { query: `?key=csn_live_${'0'.repeat(64)}` }],
  ])('closes with 4401 for %s', async (_name, options) => {
    using client = open(options);
    expect((await client.closed).code).toBe(4401);
  });

  test.each([
    ['another subprotocol', () => ({ key: caisson.apiKey, protocol: 'caisson.v9' }), 400],
    ['a browser without a ticket', () => ({ key: caisson.apiKey, origin: 'https://evil.example' }), 403],
  ])('refuses the handshake of %s', async (_name, options, status) => {
    using client = open(options());
    const [, response] = (await once(client.socket, 'unexpected-response')) as [unknown, { statusCode: number }];
    expect(response.statusCode).toBe(status);
  });

  test('takes a ticket once', async () => {
    const { ticket } = await caisson.client.streamTicket();
    using first = await opened({ query: `?ticket=${ticket}`, origin: 'https://console.example' });
    using second = open({ query: `?ticket=${ticket}` });
    expect((await second.closed).code).toBe(4401);
    expect(first.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('closes at once, with 4401, when its key is revoked; other keys stay', async () => {
    const { id, key } = await caisson.client.keys.create({ name: 'short-lived', scopes: ['runs:read'] });
    const run = await start('sleep 300');
    using revoked = await opened({ key });
    using other = await opened();
    for (const client of [revoked, other]) {
      client.send({ type: 'subscribe', runId: run });
      await client.until((message) => message.type === 'caught_up');
    }
    await caisson.client.keys.revoke(id);
    expect(await revoked.closed).toEqual({ code: 4401, reason: 'the API key was revoked' });
    await caisson.client.runs.cancel(run);
    await other.until(({ event }) => event?.type === 'run.state' && event.data['to'] === 'canceled');
    expect(revoked.messages.some(({ event }) => event?.data['to'] === 'canceled')).toBe(false);
  });

  test('tells what is wrong with a message, and lives on', async () => {
    using client = await opened();
    const unknown = `run_${'0'.repeat(26)}`;
    const table: [unknown, string, RegExp][] = [
      ['{', 'invalid_request', /not a message/],
      [{ type: 'dance' }, 'invalid_request', /type/],
      [{ type: 'subscribe' }, 'invalid_request', /runId/],
      [{ type: 'subscribe', runId: '../../etc/passwd' }, 'invalid_request', /runId is not a run id/],
      [{ type: 'subscribe', runId: unknown, after: -1 }, 'invalid_request', /after/],
      [{ type: 'subscribe', runId: unknown, afer: 7 }, 'invalid_request', /afer/],
      [{ type: 'subscribe', runId: unknown }, 'not_found', /There is no run/],
      [{ type: 'message', runId: unknown, text: 'hello' }, 'not_found', /There is no run/],
      [{ type: 'message', runId: unknown, text: '' }, 'invalid_request', /text/],
      [{ type: 'message', runId: unknown, text: 'drive\u001b[2Jthe terminal' }, 'invalid_request', /control/],
      [{ type: 'approve', runId: unknown, approvalId: 'apr_1', optionId: 'yes' }, 'not_found', /There is no run/],
    ];
    for (const [message, code, words] of table) {
      const before = client.messages.length;
      client.send(message);
      await expect.poll(() => client.messages.length, { timeout: 20_000 }).toBe(before + 1);
      expect(client.messages.at(-1), JSON.stringify(message)).toMatchObject({ type: 'error', code });
      expect(client.messages.at(-1)?.message, JSON.stringify(message)).toMatch(words);
    }
    client.socket.send(Buffer.from([1, 2, 3]));
    await client.until(() => client.messages.length === table.length + 1);
    const id = await finishedRun();
    client.send({ type: 'subscribe', runId: id });
    await client.until(({ type }) => type === 'caught_up');
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('does not show another organization’s run, nor a run to a key that may not read', async () => {
    const id = await finishedRun();
    const stranger = await secondOrganization(caisson);
    using client = await opened({ key: stranger.apiKey });
    client.send({ type: 'subscribe', runId: id });
    expect(await client.until(({ type }) => type === 'error')).toMatchObject({ code: 'not_found', runId: id });

    const { key } = await caisson.client.keys.create({ name: 'no reader', scopes: ['environments:read'] });
    using blind = await opened({ key });
    blind.send({ type: 'subscribe', runId: id });
    expect(await blind.until(({ type }) => type === 'error')).toMatchObject({ code: 'forbidden' });
    expect([...client.messages, ...blind.messages].some(({ type }) => type === 'event')).toBe(false);
  });

  test('resumes from any event without a gap, while the run is live', async () => {
    const id = await start(COUNT);
    await untilEvent(caisson.client, id, (event) => event.type === 'agent.message');
    const readers: { after: number; client: Raw }[] = [];
    try {
      // One after the other while events come in, so that the cutover falls everywhere.
      for (let after = 0; after < 12; after += 1) {
        const client = await opened();
        client.send({ type: 'subscribe', runId: id, after });
        readers.push({ after, client });
        await sleep(60);
      }
      const { lastSeq } = await untilEnded(caisson.client, id);
      for (const { after, client } of readers) {
        await client.until(({ event }) => event?.seq === lastSeq);
        const seqs = client.messages.flatMap(({ event }) => (event ? [event.seq] : []));
        expect(seqs).toEqual(Array.from({ length: lastSeq - after }, (_, i) => after + 1 + i));
        expect(client.messages.filter(({ type }) => type === 'caught_up')).toHaveLength(1);
      }
    } finally {
      for (const { client } of readers) client[Symbol.dispose]();
    }
  });

  test('tells a reader who stops reading that it lagged, and loses nothing', async () => {
    // More than the kernel's buffers and the server's together, and less than takes two heartbeats.
    const id = await start(`sleep 1; yes "$(head -c 60000 /dev/zero | tr '\\0' x)" | head -n 200`);
    using slow = await opened();
    slow.send({ type: 'subscribe', runId: id });
    await slow.until(({ type }) => type === 'caught_up');
    const tcp = (slow.socket as unknown as { _socket: Socket })._socket;
    tcp.pause();
    const { lastSeq } = await untilEnded(caisson.client, id);
    tcp.resume();
    await slow.until(({ event }) => event?.seq === lastSeq);
    expect(slow.messages.some(({ type }) => type === 'lagged')).toBe(true);
    const seqs = slow.messages.flatMap(({ event }) => (event ? [event.seq] : []));
    expect(seqs).toEqual(Array.from({ length: lastSeq }, (_, i) => i + 1));
  });

  test('says 1012 to everybody when the server stops, after the last event', async () => {
    const id = await start('sleep 300');
    await untilEvent(caisson.client, id, (event) => event.type === 'git.ready');
    using client = await opened();
    client.send({ type: 'subscribe', runId: id });
    await client.until(({ type }) => type === 'caught_up');
    await caisson.restart();
    expect((await client.closed).code).toBe(1012);
    expect(client.messages.at(-1)?.event).toMatchObject({ type: 'run.state', data: { to: 'failed' } });
  });
});

function raw(socket: WebSocket): Raw {
  const messages: Message[] = [];
  const looking = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(JSON.parse((data as Buffer).toString('utf8')) as Message);
    for (const look of looking) look();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString('utf8') }));
  });
  return {
    socket,
    messages,
    closed: withDeadline(closed, 60_000, 'Closing the stream'),
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    until(matches) {
      let look: () => void;
      const found = new Promise<Message>((resolve) => {
        look = () => {
          const message = messages.find(matches);
          if (message) resolve(message);
        };
        looking.add(look);
        look();
      });
      return withDeadline(found, 60_000, 'The message that was waited for').finally(() => looking.delete(look));
    },
    [Symbol.dispose]: () => socket.terminate(),
  };
}
