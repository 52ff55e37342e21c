import { execFile } from 'node:child_process';
import { createServer as createTlsServer } from 'node:tls';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { extension, handshake, realHello, records, serverName, sni } from './hello.ts';
import {
  certificate,
  CONNECTED,
  connectTo,
  HOST,
  listen,
  openClient,
  refusalOf,
  releaseAll,
  startRelay,
  startGateway,
  startUpstream,
  eventually,
} from './support.ts';

afterEach(releaseAll);

const TLS_ALERT = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x31]);

async function startTlsUpstream(): Promise<number> {
  const { key, cert } = certificate();
  const server = createTlsServer({ key, cert }, (socket) => {
    socket.on('error', () => socket.destroy());
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello'));
  });
  return listen(server);
}

describe('a tunnel', () => {
  it('carries TLS of a real client to a listed host, and counts its bytes', async () => {
    const port = await startTlsUpstream();
    const { gateway, decisions, closed, events } = await startGateway({ patterns: [`${HOST}:${port}`] });
    const relay = await startRelay(gateway.socketPath);
    const args = ['-sS', '--proxy', `http://127.0.0.1:${relay}`, '--cacert', certificate().certFile];
    const { stdout } = await promisify(execFile)('curl', [...args, `https://${HOST}:${port}/`]);
    expect(stdout).toBe('hello');
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(decisions()).toEqual([`allow exception:${HOST}=127.0.0.1`]);
    expect(events[0]?.data).toMatchObject({
      host: HOST,
      port,
      address: '127.0.0.1',
      protocol: 'connect',
      method: 'CONNECT',
    });
    expect(closed()[0]!.sentBytes).toBeGreaterThan(200);
    expect(closed()[0]!.receivedBytes).toBeGreaterThan(500);
    expect(gateway.totals()).toEqual({ sentBytes: closed()[0]!.sentBytes, receivedBytes: closed()[0]!.receivedBytes });
  });

  it('takes a hello byte by byte, and the host in upper case with a trailing dot', async () => {
    const upstream = await startUpstream();
    const { gateway, decisions } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const client = openClient(gateway.socketPath, connectTo(`${HOST.toUpperCase()}.:${upstream.port}`));
    await client.until(CONNECTED);
    const hello = await realHello(HOST);
    client.socket.setNoDelay(true);
    for (const byte of hello.subarray(0, -1)) {
      client.socket.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(upstream.bytes()).toHaveLength(0);
    client.socket.write(hello.subarray(-1));
    await eventually(() => upstream.bytes().length === hello.length, 'the hello at the upstream');
    expect(upstream.bytes().equals(hello)).toBe(true);
    expect(decisions()).toEqual([`allow exception:${HOST}=127.0.0.1`]);
  });

  it('takes a hello that was sent along with the CONNECT', async () => {
    const upstream = await startUpstream();
    const { gateway } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const hello = await realHello(HOST);
    openClient(gateway.socketPath, Buffer.concat([Buffer.from(connectTo(`${HOST}:${upstream.port}`)), hello]));
    await eventually(() => upstream.bytes().equals(hello), 'the hello at the upstream');
  });

  it('passes on each half-close by itself', async () => {
    const upstream = await startUpstream((socket) => {
      let seen = 0;
      socket.on('data', (chunk: Buffer) => (seen += chunk.length));
      socket.on('end', () => socket.end(`got ${seen}`));
    });
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    await client.until(CONNECTED);
    client.socket.end(Buffer.alloc(3_000_000, 1));
    expect(await client.ended).toMatch(/got 3000000$/);
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(closed()[0]).toMatchObject({ sentBytes: 3_000_000, receivedBytes: 11 });
    expect(closed()[0]).not.toHaveProperty('error');
  });

  it('lets the upstream end first, and the client still send', async () => {
    const upstream = await startUpstream((socket) => socket.end('bye'));
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    expect(await client.ended).toMatch(/bye$/);
    client.socket.end('last words');
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(upstream.text()).toBe('last words');
  });

  it('tells of a client that vanishes', async () => {
    const upstream = await startUpstream();
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    await client.until(CONNECTED);
    client.socket.destroy();
    await eventually(() => closed().length === 1 && upstream.sockets[0]!.destroyed, 'both ends closed');
  });
});

describe('the opening bytes decide before any of them leaves', () => {
  const refused: [string, () => Promise<Buffer>, string][] = [
    ['the name of another host', () => realHello('evil.example'), 'tls-sni'],
    ['a subdomain of the host', () => realHello(`www.${HOST}`), 'tls-sni'],
    ['no name', () => realHello(undefined), 'tls-no-sni'],
    [
      'an encrypted hello with the right outer name',
      async () => records(handshake(Buffer.concat([sni(serverName(HOST)), extension(0xfe0d, Buffer.alloc(64))]))),
      'tls-ech',
    ],
    [
      'two names, one of them right',
      async () => records(handshake(sni(serverName(HOST), serverName('evil.example')))),
      'tls-malformed',
    ],
    ['plain HTTP', async () => Buffer.from(`GET / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`), 'not-tls'],
    ['an SSH banner on another port than 22', async () => Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), 'not-tls'],
  ];
  it.each(refused)('%s', async (_, opening, rule) => {
    const upstream = await startUpstream();
    const { gateway, decisions, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    await client.until(CONNECTED);
    client.socket.write(await opening());
    await client.ended;
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(upstream.bytes()).toHaveLength(0);
    expect(decisions()).toEqual([`allow exception:${HOST}=127.0.0.1`, `deny ${rule}`]);
    expect(closed()[0]).toMatchObject({ sentBytes: 0, error: `cut: ${rule}` });
    const after = client.bytes().subarray(client.text().indexOf('\r\n\r\n') + 4);
    expect(after.equals(rule.startsWith('tls-') ? TLS_ALERT : Buffer.alloc(0))).toBe(true);
  });

  it('an opening that never completes is cut in time', async () => {
    const upstream = await startUpstream();
    const { gateway, decisions, closed } = await startGateway(
      { patterns: [`${HOST}:${upstream.port}`] },
      { limits: { peekTimeoutMs: 50 } },
    );
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    await client.until(CONNECTED);
    client.socket.write(Buffer.from([22, 3, 1]));
    await client.ended;
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(decisions().at(-1)).toBe('deny opening-timeout');
    expect(upstream.bytes()).toHaveLength(0);
  });

  it('a client that leaves before them sends nothing', async () => {
    const upstream = await startUpstream();
    const { gateway, decisions, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`));
    await client.until(CONNECTED);
    client.socket.end((await realHello(HOST)).subarray(0, 40));
    await eventually(() => closed().length === 1, 'the end of the tunnel in the log');
    expect(upstream.bytes()).toHaveLength(0);
    expect(decisions()).toHaveLength(1);
  });

  it('anything passes where the environment allows other protocols', async () => {
    const upstream = await startUpstream();
    const { gateway } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true });
    const client = openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`) + 'EHLO');
    expect(await client.until(/EHLO/)).toMatch(CONNECTED);
  });

  it('a listed address needs no name, and no other name passes', async () => {
    const upstream = await startUpstream();
    const network = { patterns: [`127.0.0.1:${upstream.port}`] };
    const { gateway, decisions } = await startGateway(network, { privateHosts: '127.0.0.1=127.0.0.1' });
    for (const name of [undefined, '127.0.0.1']) {
      const client = openClient(gateway.socketPath, connectTo(`127.0.0.1:${upstream.port}`));
      await client.until(CONNECTED);
      const before = upstream.bytes().length;
      client.socket.write(name === undefined ? await realHello(undefined) : records(handshake(sni(serverName(name)))));
      await eventually(() => upstream.bytes().length > before, 'the hello at the upstream');
    }
    const other = openClient(gateway.socketPath, connectTo(`127.0.0.1:${upstream.port}`));
    await other.until(CONNECTED);
    other.socket.write(await realHello('evil.example'));
    await other.ended;
    expect(decisions().at(-1)).toBe('deny tls-sni');
  });
});

describe('a refused CONNECT', () => {
  const rows: [string, string, string, number][] = [
    ['a host that is not listed', 'evil.example:443', 'not-listed', 403],
    ['another port', `${HOST}:444`, 'not-listed', 403],
    ['a private address', '10.0.0.1:443', 'address:private', 403],
    ['the metadata address', '169.254.169.254:80', 'address:metadata', 403],
    ['loopback', '127.0.0.1:22', 'address:loopback', 403],
    ['a public address', '8.8.8.8:443', 'ip-literal', 403],
    ['loopback in octal', '0177.0.0.1:443', 'invalid-host', 400],
    ['loopback as an integer', '2130706433:443', 'invalid-host', 400],
    ['IPv4-mapped loopback', '[::ffff:127.0.0.1]:443', 'address:ipv4-mapped', 403],
    ['a zone', '[fe80::1%25eth0]:443', 'invalid-host', 400],
    ['credentials before the host', `${HOST}:443@evil.example:443`, 'invalid-host', 400],
    ['no port', HOST, 'invalid-host', 400],
    ['a URL', `https://${HOST}/`, 'invalid-host', 400],
    ['percent-encoding', `%75pstream.internal:443`, 'invalid-host', 400],
  ];
  it.each(rows)('%s', async (_, target, rule, status) => {
    const { gateway, decisions, closed } = await startGateway({ patterns: [HOST] });
    const answer = await openClient(gateway.socketPath, connectTo(target)).ended;
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(refusalOf(answer)).toMatchObject({ rule, message: expect.stringMatching(/\.$/) as string });
    expect(decisions()).toEqual([`deny ${rule}`]);
    expect(closed()).toEqual([]);
  });

  it('tells how to ask', async () => {
    const { gateway } = await startGateway({});
    const answer = await openClient(gateway.socketPath, connectTo('example.com:8443')).ended;
    expect(refusalOf(answer)).toMatchObject({
      code: 'egress_denied',
      host: 'example.com',
      port: 8443,
      howToAsk: expect.stringContaining('`example.com:8443`') as string,
    });
  });

  it.each([
    ['CONNECT a\tb:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['CONNECT a:443\r\nX: y:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['CONNECT \u00e9.example:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['\u0016\u0003\u0001\u0002\u0000'],
    ['SSH-2.0-OpenSSH\r\n'],
  ])('what is not HTTP is answered and recorded: %j', async (bytes) => {
    const { gateway, decisions } = await startGateway({ mode: 'open' });
    const answer = await openClient(gateway.socketPath, Buffer.from(bytes, 'latin1')).ended;
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(decisions()).toHaveLength(1);
    expect(decisions()[0]).toMatch(/^deny (malformed-request|invalid-host)$/);
  });
});

describe('resolution', () => {
  const answers: [string, string[], string][] = [
    ['public first, private second', ['93.184.215.14', '10.0.0.1'], 'address:private'],
    ['loopback', ['127.0.0.1'], 'address:loopback'],
    ['IPv4-mapped loopback', ['::ffff:127.0.0.1'], 'address:ipv4-mapped'],
    ['metadata behind NAT64', ['64:ff9b::a9fe:a9fe'], 'address:nat64'],
    ['nothing', [], 'unresolvable'],
  ];
  it.each(answers)('%s', async (_, addresses, rule) => {
    let asked = 0;
    const resolver = async () => {
      asked += 1;
      return addresses;
    };
    const { gateway, decisions } = await startGateway({ mode: 'open' }, { resolver });
    const answer = await openClient(gateway.socketPath, connectTo('rebinding.example:443')).ended;
    expect(decisions()).toEqual([`deny ${rule}`]);
    expect(refusalOf(answer).message).not.toContain('10.0.0.1');
    expect(asked).toBe(1);
  });

  it('a denied name is never looked up', async () => {
    const asked: string[] = [];
    const { gateway } = await startGateway(
      { patterns: ['example.com'] },
      { resolver: async (host) => (asked.push(host), []) },
    );
    await openClient(gateway.socketPath, connectTo('secret-data.evil.example:443')).ended;
    await openClient(gateway.socketPath, connectTo('example.com:443')).ended;
    expect(asked).toEqual(['example.com']);
  });

  it('a resolver that hangs, or fails, is a refusal in time', async () => {
    for (const resolver of [
      () => new Promise<string[]>(() => undefined),
      async () => Promise.reject(new Error('SERVFAIL')),
    ]) {
      const { gateway, decisions } = await startGateway(
        { mode: 'open' },
        { resolver, limits: { resolveTimeoutMs: 30 } },
      );
      expect(await openClient(gateway.socketPath, connectTo('slow.example:443')).ended).toMatch(/^HTTP\/1\.1 502 /);
      expect(decisions()).toEqual(['deny unresolvable']);
    }
  });

  it('an exception does not list the host: the environment must as well', async () => {
    const { gateway, decisions } = await startGateway({ patterns: ['example.com'] });
    await openClient(gateway.socketPath, connectTo(`${HOST}:443`)).ended;
    expect(decisions()).toEqual(['deny not-listed']);
  });

  it('an exception for a block takes only answers inside it', async () => {
    const upstream = await startUpstream();
    const options = { privateHosts: `${HOST}=127.0.0.0/31`, resolver: async () => ['127.0.0.2'] };
    const outside = await startGateway({ patterns: [`${HOST}:${upstream.port}`] }, options);
    await openClient(outside.gateway.socketPath, connectTo(`${HOST}:${upstream.port}`)).ended;
    expect(outside.decisions()).toEqual(['deny address:loopback']);
    const inside = await startGateway(
      { patterns: [`${HOST}:${upstream.port}`] },
      { ...options, resolver: async () => ['127.0.0.1'] },
    );
    await openClient(inside.gateway.socketPath, connectTo(`${HOST}:${upstream.port}`)).until(CONNECTED);
    expect(inside.decisions()).toEqual([`allow exception:${HOST}=127.0.0.0/31`]);
  });
});

describe('an upstream that is not there', () => {
  it('is answered with 502 and recorded as allowed and closed', async () => {
    const upstream = await startUpstream();
    await releaseAll();
    const { gateway, decisions, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const answer = await openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`)).ended;
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(refusalOf(answer)).toMatchObject({
      code: 'egress_failed',
      message: expect.stringContaining('ECONNREFUSED') as string,
    });
    expect(decisions()).toEqual([`allow exception:${HOST}=127.0.0.1`]);
    expect(closed()[0]).toMatchObject({ sentBytes: 0, error: expect.stringContaining('ECONNREFUSED') as string });
  });

  it('falls back to the next checked address', async () => {
    const upstream = await startUpstream();
    const options = { privateHosts: `${HOST}=127.0.0.0/29`, resolver: async () => ['127.0.0.5', '127.0.0.1'] };
    const { gateway } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true }, options);
    await openClient(gateway.socketPath, connectTo(`${HOST}:${upstream.port}`)).until(CONNECTED);
  });
});
