import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  eventually,
  HOST,
  listen,
  openClient,
  refusalOf,
  releaseAll,
  startRelay,
  startGateway,
  startUpstream,
} from './support.ts';

afterEach(releaseAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok';
/** Answers whatever comes, once the headers are there, and keeps the raw bytes. */
const startRawUpstream = () => startUpstream((socket) => socket.once('data', () => socket.write(OK)));

async function startHttpUpstream(
  handler: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<number> {
  return listen(createHttpServer(handler));
}

describe('plain HTTP', () => {
  it('goes where the URI says, with Host rewritten to it and the proxy’s own fields gone', async () => {
    const upstream = await startRawUpstream();
    const { gateway, decisions, events } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const fields = [
      'Host: evil.example',
      'Proxy-Authorization: Basic c2VjcmV0',
      'Proxy-Connection: keep-alive',
      'Connection: close, X-Hop',
      'X-Hop: 1',
      'X-End: 2',
      'Upgrade: h2c',
      'HTTP2-Settings: x',
      'TE: trailers',
    ];
    const client = openClient(
      gateway.socketPath,
      `GET http://${HOST}:${upstream.port}/a//b/../c?q=secret&r=http://x HTTP/1.1\r\n${fields.join('\r\n')}\r\n\r\n`,
    );
    expect(await client.ended).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*ok$/);
    const [line, ...headers] = upstream.text().split('\r\n');
    expect(line).toBe('GET /a//b/../c?q=secret&r=http://x HTTP/1.1');
    expect(
      headers
        .filter((header) => header !== '')
        .map((header) => header.toLowerCase())
        .sort(),
    ).toEqual(['connection: close', `host: ${HOST}:${upstream.port}`, 'x-end: 2']);
    expect(decisions()).toEqual([`allow exception:${HOST}=127.0.0.1`]);
    expect(events[0]?.data).toMatchObject({
      protocol: 'http',
      method: 'GET',
      path: '/a//b/../c',
      host: HOST,
      address: '127.0.0.1',
    });
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  it('works for curl, with a body both ways', async () => {
    const port = await startHttpUpstream((request, response) => void request.pipe(response));
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${port}`] });
    const relay = await startRelay(gateway.socketPath);
    const body = 'x'.repeat(100_000);
    const run = (...more: string[]) =>
      promisify(execFile)('curl', [
        '-sS',
        '--proxy',
        `http://127.0.0.1:${relay}`,
        ...more,
        '--data-binary',
        body,
        `http://${HOST}:${port}/`,
      ]);
    expect((await run()).stdout).toBe(body);
    expect((await run('-H', 'Transfer-Encoding: chunked')).stdout).toBe(body);
    expect((await run('-H', 'Expect: 100-continue')).stdout).toBe(body);
    await eventually(() => closed().length === 3, 'three closed exchanges');
    for (const { sentBytes, receivedBytes } of closed()) {
      expect(sentBytes).toBeGreaterThan(100_000);
      expect(receivedBytes).toBeGreaterThan(100_000);
    }
  });

  it('decides every request of a connection anew, pipelined ones too', async () => {
    const port = await startHttpUpstream((request, response) => response.end(`at ${request.url}`));
    const { gateway, decisions } = await startGateway({ patterns: [`${HOST}:${port}`] });
    const get = (url: string) => `GET ${url} HTTP/1.1\r\nHost: ${HOST}:${port}\r\n\r\n`;
    const client = openClient(
      gateway.socketPath,
      get(`http://${HOST}:${port}/1`) +
        get(`http://${HOST}:${port}/2`) +
        get('http://evil.example/') +
        get(`http://${HOST}:${port}/4`),
    );
    const answer = await client.ended;
    expect(answer).toMatch(/at \/1[^]*at \/2[^]*HTTP\/1\.1 403 [^]*evil\.example/);
    expect(answer).not.toMatch(/at \/4/);
    expect(decisions()).toEqual([
      `allow exception:${HOST}=127.0.0.1`,
      `allow exception:${HOST}=127.0.0.1`,
      'deny not-listed',
    ]);
  });

  it('cuts a connection that sends thousands of requests ahead, with one event', async () => {
    const { gateway, decisions } = await startGateway({});
    const client = openClient(gateway.socketPath, 'GET http://a.example/ HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(3000));
    await client.ended;
    await eventually(() => decisions().includes('deny pipeline-limit'), 'the cut in the log');
    expect(decisions().filter((decision) => decision === 'deny pipeline-limit')).toHaveLength(1);
    expect(decisions().length).toBeLessThan(40);
  });

  it('cuts a CONNECT that follows an unanswered request', async () => {
    const upstream = await startUpstream(() => undefined);
    const { gateway, decisions } = await startGateway({ patterns: [`${HOST}:${upstream.port}`], allowNonTls: true });
    const target = `${HOST}:${upstream.port}`;
    const client = openClient(
      gateway.socketPath,
      `GET http://${target}/ HTTP/1.1\r\nHost: x\r\n\r\nCONNECT ${target} HTTP/1.1\r\nHost: x\r\n\r\nraw`,
    );
    await client.ended;
    await eventually(() => decisions().includes('deny pipeline-limit'), 'the cut in the log');
    expect(upstream.text()).not.toContain('raw');
  });

  const refused: [string, string, string, number][] = [
    ['an unlisted host', 'GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n', 'not-listed', 403],
    ['the listed host on another port', `GET http://${HOST}/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`, 'not-listed', 403],
    [
      'an allowed Host header with another URI',
      `GET http://10.0.0.1/ HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`,
      'address:private',
      403,
    ],
    [
      'credentials in the URI',
      `GET http://${HOST}:PORT@evil.example/ HTTP/1.1\r\nHost: x\r\n\r\n`,
      'invalid-host',
      400,
    ],
    [
      'a backslash in the authority',
      `GET http://evil.example\\@${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n`,
      'malformed-request',
      400,
    ],
    ['https in absolute form', `GET https://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n`, 'http-scheme', 403],
    ['ftp', `GET ftp://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\n\r\n`, 'http-scheme', 403],
    ['an octal address', 'GET http://0177.1/ HTTP/1.1\r\nHost: x\r\n\r\n', 'invalid-host', 400],
    [
      'a WebSocket',
      `GET http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`,
      'http-upgrade',
      501,
    ],
    ['HTTP/0.9', `GET http://${HOST}:PORT/\r\n\r\n`, 'malformed-request', 400],
    [
      'both lengths',
      `POST http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'malformed-request',
      400,
    ],
    [
      'two lengths',
      `POST http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345`,
      'malformed-request',
      400,
    ],
    [
      'another transfer coding',
      `POST http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`,
      'malformed-request',
      400,
    ],
    [
      'an obfuscated transfer coding',
      `POST http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: \u000bchunked\r\n\r\n0\r\n\r\n`,
      'malformed-request',
      400,
    ],
    [
      'chunks in HTTP/1.0',
      `POST http://${HOST}:PORT/ HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'malformed-request',
      400,
    ],
    [
      'a chunked DELETE',
      `DELETE http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      'malformed-request',
      411,
    ],
    ['bare line feeds', `GET http://${HOST}:PORT/ HTTP/1.1\nHost: x\n\n`, 'malformed-request', 400],
    [
      'a space before the colon',
      `GET http://${HOST}:PORT/ HTTP/1.1\r\nHost: x\r\nContent-Length : 5\r\n\r\n`,
      'malformed-request',
      400,
    ],
  ];
  it.each(refused)('refuses %s', async (_, request, rule, status) => {
    const upstream = await startRawUpstream();
    const { gateway, decisions } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const answer = await openClient(gateway.socketPath, request.replaceAll('PORT', String(upstream.port))).ended;
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(refusalOf(answer).rule).toBe(rule);
    expect(decisions()).toEqual([`deny ${rule}`]);
    expect(upstream.sockets).toHaveLength(0);
  });

  it('a body cannot become a second request at the upstream', async () => {
    const smuggled = `GET /smuggled HTTP/1.1\r\nHost: other-site.example\r\n\r\n`;
    const chunked = `${smuggled.length.toString(16)}\r\n${smuggled}\r\n0\r\n\r\n`;
    const attempts = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'PROPFIND'].flatMap((method) => [
      [method, `Transfer-Encoding: chunked\r\n\r\n${chunked}`],
      [method, `Connection: transfer-encoding\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`],
      [method, `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
      [method, `Connection: content-length\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ]);
    attempts.push(
      ['DELETE', `Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
      ['OPTIONS', `Connection: content-length\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    );
    for (const [method, rest] of attempts) {
      const upstream = await startUpstream();
      const target = `${HOST}:${upstream.port}`;
      const { gateway } = await startGateway({ patterns: [target] });
      openClient(gateway.socketPath, `${method} http://${target}/first HTTP/1.1\r\nHost: x\r\n${rest}`);
      await eventually(() => upstream.text().includes('/smuggled'), `the body of ${method} at the upstream`);
      // Every server finds the end of the request where the gateway put it, in one way and no other.
      const [head = '', ...body] = upstream.text().split(/\r\n\r\n(.*)/s);
      const framing = head.split('\r\n').filter((field) => /^(content-length|transfer-encoding):/i.test(field));
      expect(framing, `${method} ${rest}`).toHaveLength(1);
      expect(framing[0]?.toLowerCase()).toBe(
        rest?.includes(chunked) ? 'transfer-encoding: chunked' : `content-length: ${smuggled.length}`,
      );
      expect(body[0]).toMatch(framing[0]?.endsWith('chunked') ? /^[0-9a-f]+\r\nGET \/smuggled/ : /^GET \/smuggled/);
      await releaseAll();
    }
  });

  it('passes a truncated answer on as truncated', async () => {
    const upstream = await startUpstream((socket) =>
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf')),
    );
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const answer = await openClient(
      gateway.socketPath,
      `GET http://${HOST}:${upstream.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    ).ended;
    expect(answer).toMatch(/Content-Length: 100[^]*half$/);
    await eventually(() => closed()[0]?.error !== undefined, 'the error in the log');
  });

  it('answers 502 when the upstream does not speak HTTP', async () => {
    const upstream = await startUpstream((socket) => socket.once('data', () => socket.end('SSH-2.0-x\r\n')));
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const answer = await openClient(
      gateway.socketPath,
      `GET http://${HOST}:${upstream.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    ).ended;
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(refusalOf(answer).code).toBe('egress_failed');
    expect(closed()).toHaveLength(1);
  });

  it('answers 502 when the upstream stays silent for too long', async () => {
    const upstream = await startUpstream(() => undefined);
    const { gateway, closed } = await startGateway(
      { patterns: [`${HOST}:${upstream.port}`] },
      { limits: { httpIdleMs: 50 } },
    );
    const answer = await openClient(
      gateway.socketPath,
      `GET http://${HOST}:${upstream.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`,
    ).ended;
    expect(answer).toMatch(/^HTTP\/1\.1 502 /);
    expect(closed()[0]?.error).toMatch(/idle/);
  });

  it('gives up the upstream when the client goes', async () => {
    const upstream = await startUpstream(() => undefined);
    const { gateway, closed } = await startGateway({ patterns: [`${HOST}:${upstream.port}`] });
    const client = openClient(gateway.socketPath, `GET http://${HOST}:${upstream.port}/ HTTP/1.1\r\nHost: x\r\n\r\n`);
    await eventually(() => upstream.text().includes('GET /'), 'the request at the upstream');
    client.socket.destroy();
    await eventually(() => closed().length === 1, 'the end in the log');
  });

  it('explains what is here to a request in origin form', async () => {
    const { gateway, decisions } = await startGateway({ mode: 'open' });
    for (const path of ['/', '/etc/passwd?x', '/modelx/anthropic', '//evil.example/', '*']) {
      const answer = await openClient(
        gateway.socketPath,
        `${path === '*' ? 'OPTIONS' : 'GET'} ${path} HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
      ).ended;
      expect(answer).toMatch(/^HTTP\/1\.1 404 /);
      expect(refusalOf(answer).message).toContain('/model/<provider>/');
    }
    expect(decisions()).toEqual([]);
  });

  it('ends headers that never end, and headers that are too large', async () => {
    const { gateway } = await startGateway(
      { mode: 'open' },
      { limits: { headersTimeoutMs: 100, maxHeaderBytes: 4096 } },
    );
    const silent = openClient(gateway.socketPath);
    const slow = openClient(gateway.socketPath, 'GET http://a.example/ HTTP/1.1\r\nX: ');
    const large = openClient(gateway.socketPath, `GET http://a.example/ HTTP/1.1\r\nX: ${'y'.repeat(8000)}\r\n\r\n`);
    expect(await slow.ended).toMatch(/^HTTP\/1\.1 408 /);
    expect(await large.ended).toMatch(/^HTTP\/1\.1 431 /);
    await silent.ended;
  });
});
