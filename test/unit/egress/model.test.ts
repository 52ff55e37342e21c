import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { afterEach, expect, it } from 'vitest';
import { certificate, eventually, listen, openClient, refusalOf, releaseAll, startGateway } from './support.ts';

afterEach(releaseAll);

async function startProvider(handler: (request: IncomingMessage, response: ServerResponse) => void, base = '') {
  const port = await listen(createServer(handler));
  return { modelUpstreams: { anthropic: new URL(`http://127.0.0.1:${port}${base}`) }, port };
}
const post = (path: string, body = '{}') =>
  `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:3128\r\nx-api-key: placeholder\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

it('streams server-sent events as they come, headers first', async () => {
  let send: ServerResponse | undefined;
  const { modelUpstreams, port } = await startProvider((request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.flushHeaders();
    send = response;
    request.resume();
  });
  const { gateway, events, closed } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  const client = openClient(gateway.socketPath, post('/model/anthropic/v1/messages?beta=true'));
  await client.until(/text\/event-stream[^]*\r\n\r\n/);
  for (const n of [1, 2, 3]) {
    send!.write(`data: ${n}\n\n`);
    await client.until(new RegExp(`data: ${n}\n\n`));
  }
  send!.end();
  await client.ended;
  await eventually(() => closed().length === 1, 'the end in the log');
  expect(events[0]).toMatchObject({
    type: 'egress.allowed',
    data: {
      protocol: 'model',
      method: 'POST',
      host: '127.0.0.1',
      port,
      path: '/model/anthropic/v1/messages',
      rule: 'model:anthropic',
      address: '127.0.0.1',
    },
  });
  expect(closed()[0]).not.toHaveProperty('error');
});

it('takes a long upload as it comes', async () => {
  const seen: string[] = [];
  const { modelUpstreams } = await startProvider((request, response) => {
    request.on('data', (chunk: Buffer) => seen.push(String(chunk)));
    request.on('end', () => response.end('done'));
  });
  const { gateway } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  const client = openClient(
    gateway.socketPath,
    'POST /model/anthropic/x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\none\r\n',
  );
  await eventually(() => seen.join('') === 'one', 'the first chunk at the provider');
  client.socket.write('3\r\ntwo\r\n0\r\n\r\n');
  expect(await client.ended).toMatch(/done/);
  expect(seen.join('')).toBe('onetwo');
});

it('keeps to the base path, and sends the provider’s own Host', async () => {
  const seen: (string | undefined)[] = [];
  const { modelUpstreams, port } = await startProvider((request, response) => {
    seen.push(request.url, request.headers.host, request.headers['x-api-key'] as string);
    response.end();
  }, '/base/');
  const { gateway } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  await openClient(gateway.socketPath, post('/model/anthropic/v1/models/a%20b:go?alt=sse&u=../x')).ended;
  await openClient(gateway.socketPath, post('/model/anthropic')).ended;
  expect(seen).toEqual([
    '/base/v1/models/a%20b:go?alt=sse&u=../x',
    `127.0.0.1:${port}`,
    'placeholder',
    '/base/',
    `127.0.0.1:${port}`,
    'placeholder',
  ]);
});

it.each([
  ['/model/anthropic/../admin', 'malformed-request', 400],
  ['/model/anthropic/v1/%2e%2e/admin', 'malformed-request', 400],
  ['/model/anthropic/v1/.%2E/admin', 'malformed-request', 400],
  ['/model/anthropic/v1/%252e%252e/admin', 'malformed-request', 400],
  ['/model/anthropic/v1%2f..%2fadmin', 'malformed-request', 400],
  ['/model/anthropic/v1/..%5cadmin', 'malformed-request', 400],
  ['/model/anthropic/v1/..;/admin', 'malformed-request', 400],
  ['/model/anthropic/%zz', 'malformed-request', 400],
  ['/model/nobody/v1', 'model-unknown', 403],
  ['/model/__proto__/v1', 'model-unknown', 403],
  ['/model//v1', 'model-unknown', 403],
])('refuses %s', async (path, rule, status) => {
  const seen: string[] = [];
  const { modelUpstreams } = await startProvider((request, response) => {
    seen.push(request.url ?? '');
    response.end();
  }, '/base');
  const { gateway, decisions } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  const answer = await openClient(gateway.socketPath, post(path)).ended;
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(refusalOf(answer).rule).toBe(rule);
  expect(decisions()).toEqual([`deny ${rule}`]);
  expect(seen).toEqual([]);
});

it('needs the group', async () => {
  const { modelUpstreams } = await startProvider((_, response) => response.end());
  const { gateway, decisions } = await startGateway({ groups: ['git'] }, { modelUpstreams });
  expect(await openClient(gateway.socketPath, post('/model/anthropic/v1')).ended).toMatch(/^HTTP\/1\.1 403 /);
  expect(decisions()).toEqual(['deny model-not-allowed']);
});

it('never forwards to a metadata service, whatever the operator configured', async () => {
  const modelUpstreams = { anthropic: new URL('http://169.254.169.254/') };
  const { gateway, decisions } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  await openClient(gateway.socketPath, post('/model/anthropic/latest/meta-data')).ended;
  expect(decisions()).toEqual(['deny address:metadata']);
});

it('refuses a provider whose certificate is not valid', async () => {
  const { key, cert } = certificate();
  const seen: string[] = [];
  const port = await listen(
    createTlsServer({ key, cert }, (request, response) => {
      seen.push(request.url ?? '');
      response.end();
    }),
  );
  const modelUpstreams = { anthropic: new URL(`https://127.0.0.1:${port}`) };
  const { gateway, closed } = await startGateway({ groups: ['models'] }, { modelUpstreams });
  const answer = await openClient(gateway.socketPath, post('/model/anthropic/v1')).ended;
  expect(answer).toMatch(/^HTTP\/1\.1 502 /);
  expect(refusalOf(answer).message).toMatch(/certificate/i);
  expect(closed()).toHaveLength(1);
  expect(seen).toEqual([]);
});
