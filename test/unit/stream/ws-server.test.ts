import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import type { StreamIdentity } from '../../../server/stream/connection.ts';
import { createStreamServer, type StreamLimits, type StreamServer } from '../../../server/stream/ws-server.ts';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { serverMessage, type ServerMessage } from '../../../shared/protocol/stream.ts';
import { createFakeLog, OTHER, RUN } from './support.ts';

interface Identity extends StreamIdentity {
  readonly name: string;
}

let server: Server;
let stream: StreamServer;
let log: ReturnType<typeof createFakeLog>;
let now: number;
const clients: Client[] = [];
const done: string[] = [];

const actions = {
  async checkReadable(_identity: Identity, runId: string) {
    if (runId !== RUN) throw new CaissonError('not_found', `There is no run ${runId}.`);
  },
  async sendMessage(identity: Identity, runId: string, text: string) {
    if (text === 'crash') throw new Error('secret detail');
    done.push(`${identity.name} says ${text} to ${runId}`);
  },
  async approve(identity: Identity, _runId: string, approvalId: string, optionId: string) {
    done.push(`${identity.name} approves ${approvalId} with ${optionId}`);
  },
  // Terminals are tested where there are shells: test/flow/terminal.test.ts.
  async openTerminal(): Promise<never> {
    throw new CaissonError('conflict', 'There is no sandbox here.');
  },
};

async function start(limits: Partial<StreamLimits> = {}) {
  stream = createStreamServer<Identity>({
    log,
    actions,
    clock: { now: () => new Date(now) },
    logger: pino({ level: 'silent' }),
    limits,
    authorize: async (incoming) => {
      const ticket = new URL(incoming.url!, 'http://x').searchParams.get('ticket');
      const name = ticket ?? /^Bearer (.*)$/.exec(incoming.headers.authorization ?? '')?.[1];
      if (name === 'broken') throw new Error('database down');
      return name === undefined || name === 'wrong'
        ? null
        : { name, keyId: `key_${name}`, expiresAt: name === 'brief' ? 5000 : undefined };
    },
  });
  server.on('upgrade', stream.handleUpgrade);
}

beforeEach(async () => {
  log = createFakeLog();
  now = 0;
  done.length = 0;
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  await stream.close();
  server.close();
});

/** A client that keeps what it was told, each message checked against the protocol. */
class Client {
  readonly socket: WebSocket;
  readonly messages: ServerMessage[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;
  constructor(options: { key?: string; path?: string; protocol?: string; origin?: string } = {}) {
    const { port } = server.address() as AddressInfo;
    this.socket = new WebSocket(
      `ws://127.0.0.1:${port}${options.path ?? '/v1/stream'}`,
      options.protocol ?? 'caisson.v1',
      {
        headers: options.key === undefined ? {} : { authorization: `Bearer ${options.key}` },
        ...(options.origin === undefined ? {} : { origin: options.origin }),
      },
    );
    this.socket.on('message', (data) =>
      this.messages.push(serverMessage.parse(JSON.parse((data as Buffer).toString()))),
    );
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
    this.socket.on('error', () => undefined);
    clients.push(this);
  }
  async open() {
    await once(this.socket, 'open');
    return this;
  }
  send(message: unknown) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  }
  get seqs() {
    return this.messages.flatMap((message) => (message.type === 'event' ? [message.event.seq] : []));
  }
  get errors() {
    return this.messages.flatMap((message) =>
      message.type === 'error' ? [`${message.code} ${message.runId ?? ''}`] : [],
    );
  }
}
const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

describe('the stream', () => {
  test('sends what was, says so, and sends what comes', async () => {
    await start();
    log.append(RUN, ['1', '2', '3']);
    const client = await new Client({ key: 'ann' }).open();
    client.send({ type: 'subscribe', runId: RUN, after: 1 });
    await until(() => expect(client.messages.at(-1)).toEqual({ type: 'caught_up', runId: RUN, seq: 3 }));
    log.append(RUN, ['4', '5']);
    await until(() => expect(client.seqs).toEqual([2, 3, 4, 5]));
    client.send({ type: 'unsubscribe', runId: RUN });
    await until(() => expect(log.subscribers).toBe(0));
    log.append(RUN, ['6']);
    client.send({ type: 'subscribe', runId: RUN, after: 5 });
    await until(() => expect(client.seqs).toEqual([2, 3, 4, 5, 6]));
    expect(client.socket.protocol).toBe('caisson.v1');
    expect(client.socket.extensions).toBe('');
  });

  test('a second subscription to a run takes the place of the first', async () => {
    await start();
    log.append(RUN, ['1', '2']);
    const client = await new Client({ key: 'ann' }).open();
    client.send({ type: 'subscribe', runId: RUN, after: 2 });
    await until(() => expect(client.messages).toHaveLength(1));
    client.send({ type: 'subscribe', runId: RUN });
    await until(() => expect(client.seqs).toEqual([1, 2]));
    log.append(RUN, ['3']);
    await until(() => expect(client.seqs).toEqual([1, 2, 3]));
    expect(log.subscribers).toBe(1);
  });

  test('a reader that stops reading holds up nobody, and misses nothing when it reads again', async () => {
    await start();
    const slow = await new Client({ key: 'slow' }).open();
    const quick = await new Client({ key: 'quick' }).open();
    for (const client of [slow, quick]) client.send({ type: 'subscribe', runId: RUN });
    await until(() => expect(slow.messages.concat(quick.messages)).toHaveLength(2));
    slow.socket.pause();
    const total = 2500;
    for (let sent = 0; sent < total; sent += 100) {
      log.append(
        RUN,
        Array.from({ length: 100 }, () => 'x'.repeat(10_000)),
      );
      await until(() => expect(quick.seqs).toHaveLength(sent + 100));
    }
    slow.socket.resume();
    await until(() => expect(slow.seqs).toHaveLength(total));
    expect(slow.seqs).toEqual(quick.seqs);
    expect(slow.messages.map((message) => message.type)).toContain('lagged');
    expect(quick.messages.map((message) => message.type)).not.toContain('lagged');
  });

  test('passes messages and answers on, in the order in which they came', async () => {
    await start();
    const client = await new Client({ key: 'ann' }).open();
    client.send({ type: 'message', runId: RUN, text: 'one' });
    client.send({ type: 'approve', runId: RUN, approvalId: 'apr', optionId: 'yes' });
    client.send({ type: 'message', runId: RUN, text: 'two' });
    await until(() => expect(done).toHaveLength(3));
    expect(done).toEqual([`ann says one to ${RUN}`, 'ann approves apr with yes', `ann says two to ${RUN}`]);
  });

  test.each([
    ['what is not JSON', 'hello', 'invalid_request '],
    ['an unknown message', { type: 'shutdown' }, 'invalid_request '],
    ['a run id that is none', { type: 'subscribe', runId: '../x' }, 'invalid_request '],
    ['a negative place', { type: 'subscribe', runId: RUN, after: -1 }, 'invalid_request '],
    ['somebody else’s run', { type: 'subscribe', runId: OTHER }, `not_found ${OTHER}`],
    ['an action that fails', { type: 'message', runId: RUN, text: 'crash' }, `internal ${RUN}`],
  ])('answers %s with an error, and goes on', async (_what, message, expected) => {
    await start();
    const client = await new Client({ key: 'ann' }).open();
    client.send(message);
    await until(() => expect(client.errors).toEqual([expected]));
    expect(JSON.stringify(client.messages)).not.toContain('secret detail');
    client.send({ type: 'subscribe', runId: RUN });
    await until(() => expect(client.messages).toHaveLength(2));
  });

  test('ends a connection that sends too much', async () => {
    await start({ maxMessageBytes: 1000 });
    const client = await new Client({ key: 'ann' }).open();
    client.send({ type: 'message', runId: RUN, text: 'x'.repeat(1000) });
    expect(await client.closed).toMatchObject({ code: 1009 });
  });

  test('follows only so many runs on one connection', async () => {
    await start({ maxSubscriptionsPerConnection: 0 });
    const client = await new Client({ key: 'ann' }).open();
    client.send({ type: 'subscribe', runId: RUN });
    await until(() => expect(client.errors).toEqual([`rate_limited ${RUN}`]));
  });

  describe('lets in', () => {
    test.each([
      ['a key', { key: 'ann' }],
      ['a ticket', { path: '/v1/stream?ticket=ann' }],
      ['a browser with a ticket', { path: '/v1/stream?ticket=ann', origin: 'https://any.example' }],
    ])('%s', async (_what, options) => {
      await start();
      await new Client(options).open();
      expect(stream.connections).toBe(1);
    });

    test.each([
      ['without a key', {}, 4401],
      ['with a wrong key', { key: 'wrong' }, 4401],
      ['with a wrong ticket', { path: '/v1/stream?ticket=wrong' }, 4401],
    ])('nobody %s', async (_what, options, code) => {
      await start();
      expect(await new Client(options).closed).toMatchObject({ code });
      expect(stream.connections).toBe(0);
    });

    test.each([
      ['at another path', { key: 'ann', path: '/v1/other' }, 404, 'not_found'],
      ['with another subprotocol', { key: 'ann', protocol: 'other.v1' }, 400, 'invalid_request'],
      ['from a page that has no ticket', { key: 'ann', origin: 'https://evil.example' }, 403, 'forbidden'],
      ['while keys cannot be checked', { key: 'broken' }, 503, 'unavailable'],
    ])(
      'nobody %s',
      async (
        _what,
        {
          key,
          path = '/v1/stream',
          protocol = 'caisson.v1',
          origin,
        }: { key: string; path?: string; protocol?: string; origin?: string },
        status,
        code,
      ) => {
        await start();
        const { port } = server.address() as AddressInfo;
        const handshake = request({
          port,
          host: '127.0.0.1',
          path,
          headers: {
            connection: 'Upgrade',
            upgrade: 'websocket',
            'sec-websocket-version': '13',
            'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
            'sec-websocket-protocol': protocol,
            authorization: `Bearer ${key}`,
            ...(origin === undefined ? {} : { origin }),
          },
        }).end();
        const [response] = (await once(handshake, 'response')) as [import('node:http').IncomingMessage];
        expect(response.statusCode).toBe(status);
        const body = Buffer.concat(await response.toArray()).toString();
        expect(JSON.parse(body)).toMatchObject({ error: { code } });
        expect(body).not.toContain('database');
      },
    );

    test('only so many connections of one key', async () => {
      await start({ maxConnectionsPerKey: 2 });
      await new Client({ key: 'ann' }).open();
      await new Client({ key: 'ann' }).open();
      expect(await new Client({ key: 'ann' }).closed).toMatchObject({ code: 4429 });
      await new Client({ key: 'bob' }).open();
      expect(stream.connections).toBe(3);
    });
  });

  describe('ends', () => {
    test('the connections of a revoked key, and no others', async () => {
      await start();
      const ann = await new Client({ key: 'ann' }).open();
      const bob = await new Client({ key: 'bob' }).open();
      ann.send({ type: 'subscribe', runId: RUN });
      await until(() => expect(ann.messages).toHaveLength(1));
      stream.closeByKey('key_ann');
      expect(await ann.closed).toMatchObject({ code: 4401 });
      await until(() => expect(log.subscribers).toBe(0));
      expect(bob.socket.readyState).toBe(WebSocket.OPEN);
    });

    test('those whose key expires', async () => {
      await start({ heartbeatMs: 20 });
      const client = await new Client({ key: 'brief' }).open();
      now = 5000;
      expect(await client.closed).toMatchObject({ code: 4401 });
    });

    test('those who do not answer pings, and not those who do', async () => {
      await start({ heartbeatMs: 50 });
      const alive = await new Client({ key: 'ann' }).open();
      const dead = new Client({ key: 'bob' });
      await dead.open();
      dead.socket.pong = () => undefined;
      expect(await dead.closed).toMatchObject({ code: 4408 });
      expect(alive.socket.readyState).toBe(WebSocket.OPEN);
    });

    test('all, with «come back later», also those who do not answer', async () => {
      await start();
      const polite = await new Client({ key: 'ann' }).open();
      const silent = await new Client({ key: 'bob' }).open();
      // The transport stops reading: the close frame is never seen, and never answered.
      (silent.socket as unknown as { _socket: Socket })._socket.pause();
      await stream.close();
      expect(stream.connections).toBe(0);
      expect(await polite.closed).toMatchObject({ code: 1012 });
    });
  });
});
