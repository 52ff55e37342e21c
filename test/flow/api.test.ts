import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { allRoutes } from '../../server/api/routes/index.ts';
import { SCOPES } from '../../shared/protocol/rest.ts';
import { addMember, secondOrganization } from '../support/organizations.ts';
import { ask, type Ask, type Answer } from '../support/request.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { startTestServer, untilEnded, type TestServer } from '../support/server.ts';

const RUN = `run_${'0'.repeat(26)}`;
const UPLOAD = `upl_${'0'.repeat(26)}`;
const KEY = `key_${'0'.repeat(26)}`;

describeSandboxed('the API', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_SECURITY_CONTACT: 'mailto:security@example.org' });
  });
  afterAll(async () => caisson?.close());
  const call = (request: Ask): Promise<Answer> => ask(caisson.url, { key: caisson.apiKey, ...request });
  const post = (path: string, body: unknown) => call({ method: 'POST', path, body });

  describe('names the field that is wrong', () => {
    const prompt = 'ls';
    const name = 'web';
    const command = ['/bin/true'];
    const environment = (rest: object) => ['POST', '/v1/environments', { name, ...rest }] as const;
    const patched = (body: object) => ['PATCH', '/v1/environments/default', body] as const;
    const agent = (rest: object) => ['POST', '/v1/agents', { name, command, ...rest }] as const;
    const run = (rest: object) => ['POST', '/v1/runs', { prompt, ...rest }] as const;
    const query = (path: string) => ['GET', path, undefined] as const;
    test.each<[string, readonly [string, string, unknown], string]>([
      ['a run without a prompt', ['POST', '/v1/runs', {}], 'prompt'],
      ['a run that is a list', ['POST', '/v1/runs', []], ''],
      ['a run that is null', ['POST', '/v1/runs', 'null'], ''],
      ['an empty prompt', run({ prompt: ' \n ' }), 'prompt'],
      ['a prompt that is a number', run({ prompt: 7 }), 'prompt'],
      ['a prompt with an escape sequence', run({ prompt: 'ls\u001b[2J' }), 'prompt'],
      ['a prompt with a NUL', run({ prompt: 'ls\u0000' }), 'prompt'],
      ['a prompt that reads otherwise than it runs', run({ prompt: 'ls \u202e fdp.exe' }), 'prompt'],
      ['a prompt that is too long', run({ prompt: 'x'.repeat(100_001) }), 'prompt'],
      ['a title with a line feed in a control sequence', run({ title: 'a\u009b31m' }), 'title'],
      ['a misspelt field', run({ enviroment: 'web' }), 'enviroment'],
      ['a misspelt field below', run({ source: { kind: 'git', url: 'https://h/r', reff: 'main' } }), 'source.reff'],
      ['a source of no kind', run({ source: {} }), 'source.kind'],
      ['a source of a new kind', run({ source: { kind: 'ftp' } }), 'source.kind'],
      ['an upload that is no id', run({ source: { kind: 'upload', uploadId: '../x' } }), 'source.uploadId'],
      ['a git URL with a password', run({ source: git('https://me:secret-word@h.example/r') }), 'source.url'],
      ['a git URL with a token', run({ source: git('https://secret-word@h.example/r') }), 'source.url'],
      ['a git URL that is a file', run({ source: git('file:///etc/passwd') }), 'source.url'],
      ['a git URL that is a path', run({ source: git('/etc/passwd') }), 'source.url'],
      ['a git URL that runs a command', run({ source: git('ext::sh -c id') }), 'source.url'],
      ['a git URL that is an option', run({ source: git('--upload-pack=id') }), 'source.url'],
      ['a ref that is an option', run({ source: { ...git('https://h.example/r'), ref: '--exec=id' } }), 'source.ref'],
      ['interactive as a word', run({ interactive: 'yes' }), 'interactive'],
      ['a page of no size', query('/v1/runs?limit=0'), 'limit'],
      ['a page that is too large', query('/v1/runs?limit=100000'), 'limit'],
      ['a state that does not exist', query('/v1/runs?state=running,dancing'), 'state.1'],
      ['a time that is none', query('/v1/runs?from=yesterday'), 'from'],
      ['a misspelt query', query('/v1/runs?limt=5'), 'limt'],
      ['a query twice', query('/v1/runs?limit=5&limit=6'), 'limit'],
      ['a run id that is none', query('/v1/runs/..%2f..%2fetc%2fpasswd'), 'id'],
      ['a run id that is a number', query('/v1/runs/42/events'), 'id'],
      ['events after less than nothing', query(`/v1/runs/${RUN}/events?after=-1`), 'after'],
      ['an approval with neither', ['POST', `/v1/runs/${RUN}/approvals/apr_1`, {}], ''],
      ['an approval with both', ['POST', `/v1/runs/${RUN}/approvals/apr_1`, { optionId: 'a', decision: 'allow' }], ''],
      ['a message without text', ['POST', `/v1/runs/${RUN}/messages`, {}], 'text'],
      ['an environment without a name', ['POST', '/v1/environments', {}], 'name'],
      ['a name with capitals', environment({ name: 'Web' }), 'name'],
      ['a name that is a path', environment({ name: '../x' }), 'name'],
      ['no CPU', environment({ resources: { cpus: 0 } }), 'resources.cpus'],
      ['memory as text', environment({ resources: { memoryMiB: '512' } }), 'resources.memoryMiB'],
      ['a misspelt resource', environment({ resources: { memoryMib: 512 } }), 'resources.memoryMib'],
      ['a misspelt policy', environment({ network: { pattern: [] } }), 'network.pattern'],
      ['a pattern for everything', environment({ network: { patterns: ['*'] } }), 'network.patterns.0'],
      [
        'a pattern for a public suffix',
        environment({ network: { patterns: ['a.org', '*.co.uk'] } }),
        'network.patterns.1',
      ],
      ['a pattern that is a URL', environment({ network: { patterns: ['https://a.org/'] } }), 'network.patterns.0'],
      [
        '21 patterns',
        environment({ network: { patterns: Array.from({ length: 21 }, (_, i) => `h${i}.org`) } }),
        'network.patterns',
      ],
      ['a group that does not exist', environment({ network: { groups: ['all'] } }), 'network.groups.0'],
      ['a variable that no shell could have', environment({ variables: { 'A B': 'c' } }), 'variables.A B'],
      ['a variable that is a number', environment({ variables: { A: 1 } }), 'variables.A'],
      ['a run without end', environment({ timeLimitSeconds: 1e9 }), 'timeLimitSeconds'],
      ['an approval mode that does not exist', environment({ approval: 'never' }), 'approval'],
      ['an image that is an option', environment({ image: '--privileged' }), 'image'],
      ['a change of what cannot be changed', patched({ id: 'env_x' }), 'id'],
      ['a change to a pattern for everything', patched({ network: { patterns: ['**'] } }), 'network.patterns.0'],
      ['a secret of no name', ['PUT', '/v1/environments/default/secrets/A-B', { value: 'secret-word' }], 'name'],
      ['a secret without a value', ['PUT', '/v1/environments/default/secrets/A', { valu: 'secret-word' }], 'valu'],
      ['an agent without a command', ['POST', '/v1/agents', { name }], 'command'],
      ['an agent with an empty command', agent({ command: [] }), 'command'],
      ['an agent of an unknown provider', agent({ provider: 'acme' }), 'provider'],
      ['instructions that drive a terminal', agent({ instructions: '\u001b]0;x\u0007' }), 'instructions'],
      ['a key without a name', ['POST', '/v1/api-keys', {}], 'name'],
      ['a key with a scope that does not exist', ['POST', '/v1/api-keys', { name, scopes: ['root'] }], 'scopes.0'],
      [
        'a key that expired before it was made',
        ['POST', '/v1/api-keys', { name, expiresAt: '2020-01-01T00:00:00Z' }],
        'expiresAt',
      ],
      ['a key to revoke that is no id', ['DELETE', '/v1/api-keys/all', undefined], 'id'],
    ])('of %s', async (_what, [method, path, body], field) => {
      const answer = await call({ method, path, body });
      expect(answer.text).not.toContain('secret-word');
      expect(answer).toMatchObject({ status: 400, code: 'invalid_request' });
      expect(answer.fields).toContain(field);
      expect(answer.message.length).toBeGreaterThan(20);
    });

    test('and all of them at once', async () => {
      const { fields } = await post('/v1/environments', {
        name: '-',
        approval: 'x',
        resources: { cpus: -1 },
        extra: 1,
      });
      expect(fields.toSorted()).toEqual(['approval', 'extra', 'name', 'resources.cpus']);
    });
  });

  describe('refuses what is no request', () => {
    test.each<[string, Ask, number, string]>([
      ['JSON that is cut off', { path: '/v1/runs', body: '{"prompt":' }, 400, 'invalid_request'],
      [
        'no body',
        { method: 'POST', path: '/v1/runs', headers: { 'content-type': 'application/json' } },
        400,
        'invalid_request',
      ],
      [
        'a form',
        { path: '/v1/runs', body: 'prompt=ls', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
        415,
        'unsupported_media_type',
      ],
      [
        'JSON that does not say so',
        { path: '/v1/runs', body: '{"prompt":"ls"}', headers: { 'content-type': 'text/plain' } },
        415,
        'unsupported_media_type',
      ],
      [
        'an encoding that nobody knows',
        { path: '/v1/runs', body: 'x', headers: { 'content-encoding': 'rot13' } },
        415,
        'unsupported_media_type',
      ],
      [
        'a JSON of more than 1 MiB',
        { path: '/v1/runs', body: { prompt: 'x'.repeat(1024 * 1024) } },
        413,
        'payload_too_large',
      ],
      ['an upload that is JSON', { path: '/v1/uploads', body: {} }, 415, 'unsupported_media_type'],
      ['a path that does not exist', { path: '/v1/nothing' }, 404, 'not_found'],
      ['a path outside the API', { path: '/admin' }, 404, 'not_found'],
      ['a path of another case', { path: '/v1/Runs' }, 404, 'not_found'],
      ['a method that a path does not have', { method: 'PUT', path: '/v1/runs' }, 404, 'not_found'],
      ['a path that climbs', { path: '/v1/../../etc/passwd' }, 404, 'not_found'],
      ['a percent sign that encodes nothing', { path: '/v1/runs/%zz' }, 400, 'invalid_request'],
      ['a run that does not exist', { path: `/v1/runs/${RUN}` }, 404, 'not_found'],
      [
        'an upload that does not exist',
        { path: '/v1/runs', body: { prompt: 'ls', source: { kind: 'upload', uploadId: UPLOAD } } },
        404,
        'not_found',
      ],
      [
        'an environment that does not exist',
        { path: '/v1/runs', body: { prompt: 'ls', environment: 'nowhere' } },
        404,
        'not_found',
      ],
      ['an agent that does not exist', { path: '/v1/runs', body: { prompt: 'ls', agent: 'nobody' } }, 404, 'not_found'],
      [
        'an agent that is not installed',
        { path: '/v1/runs', body: { prompt: 'ls', agent: 'opencode' } },
        503,
        'unavailable',
      ],
      ['a key that does not exist', { method: 'DELETE', path: `/v1/api-keys/${KEY}` }, 404, 'not_found'],
      ['a second default environment', { path: '/v1/environments', body: { name: 'default' } }, 409, 'conflict'],
      ['the end of the default environment', { method: 'DELETE', path: '/v1/environments/default' }, 409, 'conflict'],
      [
        'a change of a built-in agent',
        { method: 'PATCH', path: '/v1/agents/shell', body: { description: 'mine' } },
        409,
        'conflict',
      ],
    ])('%s', async (_what, request, status, code) => {
      const answer = await call(request);
      expect({ status: answer.status, code: answer.code }).toEqual({ status, code });
      expect(answer.headers['x-request-id']).toBe((answer.json as { error: { requestId: string } }).error.requestId);
      expect(answer.headers['x-request-id']).toMatch(/^req_[0-9a-z]{26}$/);
      expect(answer.text).not.toMatch(/\bat .*\.ts:|node_modules/);
    });
  });

  describe('lets nobody in', () => {
    test('without a valid key, and says the same for each reason', async () => {
      const expired = await caisson.server.context.apiKeys.create({
        ...(await ownerOf(caisson)),
        name: 'expires now',
        expiresAt: new Date(Date.now() + 50).toISOString(),
      });
      const revoked = await caisson.client.keys.create({ name: 'to revoke' });
      await caisson.client.keys.revoke(revoked.id);
      await expect.poll(() => Date.parse(expired.apiKey.expiresAt!) < Date.now()).toBe(true);
      const headers: Record<string, string>[] = [
        {},
        { authorization: '' },
        { authorization: 'Bearer' },
        { authorization: 'Bearer x' },
        { authorization: `Basic ${Buffer.from(`x:${caisson.apiKey}`).toString('base64')}` },
        { authorization: caisson.apiKey },
        { authorization: `Bearer ${caisson.apiKey}0` },
        { authorization: `Bearer ${caisson.apiKey.toUpperCase()}` },
        { authorization: `Bearer ${expired.key}` },
        { authorization: `Bearer ${revoked.key}` },
        { cookie: `key=${caisson.apiKey}` },
        { 'x-api-key': caisson.apiKey },
      ];
      const answers = await Promise.all(headers.map((header) => ask(caisson.url, { path: '/v1/me', headers: header })));
      expect(new Set(answers.map(({ status, code, message }) => `${status} ${code} ${message}`)).size).toBe(1);
      for (const answer of answers) {
        expect(answer).toMatchObject({ status: 401, code: 'unauthenticated' });
        expect(answer.headers['www-authenticate']).toBe('Bearer realm="caisson"');
      }
      expect((await ask(caisson.url, { path: `/v1/me?key=${caisson.apiKey}` })).status).toBe(401);
    });

    test('to any route that is not public, whatever its input', async () => {
      for (const { method, path, scope } of routes(caisson).filter((route) => route.scope !== 'public')) {
        const answer = await ask(caisson.url, { method: method.toUpperCase(), path: `/v1${filled(path)}`, body: '{' });
        expect(answer.status, `${method} ${path} (${scope})`).toBe(401);
      }
    });

    test('to a route whose scope its key does not have', async () => {
      const keys = new Map<string, string>();
      for (const scope of SCOPES) {
        const scopes = SCOPES.filter((other) => other !== scope);
        keys.set(scope, (await caisson.client.keys.create({ name: `all but ${scope}`, scopes })).key);
      }
      for (const { method, path, scope } of routes(caisson)) {
        const key = keys.get(scope);
        if (key === undefined) continue;
        const answer = await ask(caisson.url, {
          method: method.toUpperCase(),
          path: `/v1${filled(path)}`,
          key,
          body: '{',
        });
        expect(answer, `${method} ${path}`).toMatchObject({ status: 403, code: 'forbidden' });
        expect(answer.message).toContain(scope);
      }
    });

    test('to pass on a scope that their own key does not have', async () => {
      const { key } = await caisson.client.keys.create({ name: 'clerk', scopes: ['keys:write'] });
      const answer = await call({ key, path: '/v1/api-keys', body: { name: 'more', scopes: ['runs:write'] } });
      expect(answer).toMatchObject({ status: 403, code: 'forbidden' });
    });
  });

  test('keeps organizations apart: what is another’s does not exist', async () => {
    const { id } = await caisson.client.runs.create({ prompt: 'echo mine' });
    await caisson.client.environments.create({ name: 'ours' });
    const agent = await caisson.client.agents.create({ name: 'ours', command: ['/bin/true'] });
    const { id: environment } = await caisson.client.environments.get('ours');
    const { id: keyId } = await caisson.client.keys.create({ name: 'ours' });
    const upload = await caisson.client.uploads.create(Buffer.from('# v2 git bundle\n\nPACK'));
    const stranger = await secondOrganization(caisson);
    const asStranger = (request: Ask) => ask(caisson.url, { key: stranger.apiKey, ...request });

    const hidden: Ask[] = [
      ...['', '/events', '/patch', '/bundle', '/proof'].map((rest) => ({ path: `/v1/runs/${id}${rest}` })),
      { method: 'DELETE', path: `/v1/runs/${id}` },
      ...['cancel', 'pause', 'resume', 'finish'].map((action) => ({ path: `/v1/runs/${id}/${action}`, body: {} })),
      { path: `/v1/runs/${id}/messages`, body: { text: 'hello' } },
      { path: `/v1/runs/${id}/approvals/apr_1`, body: { decision: 'allow' } },
      ...['ours', environment].flatMap((name) => [
        { path: `/v1/environments/${name}` },
        { method: 'PATCH', path: `/v1/environments/${name}`, body: { description: 'taken over' } },
        { method: 'DELETE', path: `/v1/environments/${name}` },
        { method: 'PUT', path: `/v1/environments/${name}/secrets/TOKEN`, body: { value: 'x' } },
        { path: '/v1/runs', body: { prompt: 'ls', environment: name } },
      ]),
      { path: `/v1/agents/${agent.id}` },
      { method: 'DELETE', path: '/v1/agents/ours' },
      { path: '/v1/runs', body: { prompt: 'ls', agent: agent.id } },
      { path: '/v1/runs', body: { prompt: 'ls', source: { kind: 'upload', uploadId: upload.id } } },
      { method: 'DELETE', path: `/v1/api-keys/${keyId}` },
    ];
    for (const request of hidden) {
      const answer = await asStranger(request);
      expect(answer, `${request.method ?? ''} ${request.path} ${JSON.stringify(request.body)}`).toMatchObject({
        status: 404,
        code: 'not_found',
      });
    }
    expect((await stranger.client.runs.list()).items).toEqual([]);
    expect((await stranger.client.environments.list()).items.map(({ name }) => name)).toEqual(['default']);
    expect((await stranger.client.keys.list()).items).toHaveLength(1);
    expect((await untilEnded(caisson.client, id)).state).toBe('succeeded');
    stranger.client.close();
  });

  test('shows a member their own runs, and a lead those of all', async () => {
    const { organizationId } = await ownerOf(caisson);
    const [one, two, lead] = await Promise.all([
      addMember(caisson, organizationId, 'member'),
      addMember(caisson, organizationId, 'member'),
      addMember(caisson, organizationId, 'lead'),
    ]);
    const { id } = await one.client.runs.create({ prompt: 'echo private' });
    await untilEnded(one.client, id);
    expect((await one.client.runs.list()).items.map((run) => run.id)).toEqual([id]);
    expect((await two.client.runs.list()).items).toEqual([]);
    await expect(two.client.runs.get(id)).rejects.toMatchObject({ code: 'not_found' });
    await expect(two.client.runs.events(id)).rejects.toMatchObject({ code: 'not_found' });
    expect((await lead.client.runs.get(id)).id).toBe(id);
    const names = async ({ client }: typeof one) => (await client.members.list()).items.map(({ name }) => name);
    expect(await names(one)).toEqual(['A member']);
    expect(await names(lead)).toEqual(expect.arrayContaining(['Owner', 'A member', 'A lead']));
    const paged = await lead.client.members.list({ limit: 1 });
    expect(paged.items).toHaveLength(1);
    const next = await lead.client.members.list({ limit: 1, cursor: paged.nextCursor! });
    expect(next.items[0]!.id).not.toBe(paged.items[0]!.id);
    const elsewhere = await secondOrganization(caisson);
    expect((await elsewhere.client.members.list()).items).toHaveLength(1);
    elsewhere.client.close();
    for (const { client } of [one, two, lead]) client.close();
  });

  test('does the work of one Idempotency-Key once', async () => {
    const headers = { 'idempotency-key': 'order-1' };
    const request = { path: '/v1/runs', body: { prompt: 'echo once' }, headers };
    const both = await Promise.all([call(request), call(request)]);
    // The second is told to wait, or comes late enough to be given the first one's answer.
    for (const { status } of both) expect([201, 409]).toContain(status);
    const made = both.filter(({ status }) => status === 201);
    const [first] = made;
    expect(new Set(made.map(({ text }) => text)).size).toBe(1);
    const again = await call(request);
    expect(again.status).toBe(201);
    expect(idOf(again)).toBe(idOf(first!));
    expect(await call({ ...request, body: { prompt: 'echo twice' } })).toMatchObject({ status: 409, code: 'conflict' });
    expect((await call({ ...request, headers: { 'idempotency-key': 'a b' } })).status).toBe(400);
    const { key } = await caisson.client.keys.create({ name: 'another' });
    const other = await call({ ...request, key });
    expect(idOf(other)).not.toBe(idOf(first!));
    // A request that failed may be sent again, mended or not: nothing was done.
    const broken = {
      path: '/v1/runs',
      body: { prompt: 'ls', agent: 'late' },
      headers: { 'idempotency-key': 'order-2' },
    };
    expect((await call(broken)).status).toBe(404);
    await caisson.client.agents.create({ name: 'late', command: ['/bin/true'] });
    expect((await call(broken)).status).toBe(201);
    for (const run of (await caisson.client.runs.list({ limit: 5 })).items) {
      await caisson.client.runs.cancel(run.id);
      await untilEnded(caisson.client, run.id);
    }
  });

  test('changes only what a PATCH names', async () => {
    const resources = { cpus: 1, memoryMiB: 512, diskMiB: 256, maxProcesses: 64 };
    const network = { mode: 'allowlist' as const, groups: [], patterns: ['a.example.org'], allowNonTls: false };
    await caisson.client.environments.create({ name: 'patched', resources, network, variables: { A: 'a' } });
    const patch = (body: unknown) => call({ method: 'PATCH', path: '/v1/environments/patched', body });
    expect((await patch({ resources: { memoryMiB: 1024 }, network: { mode: 'none' } })).status).toBe(200);
    expect(await caisson.client.environments.get('patched')).toMatchObject({
      resources: { ...resources, memoryMiB: 1024 },
      network: { ...network, mode: 'none' },
      variables: { A: 'a' },
    });
    expect((await patch({})).status).toBe(200);
  });

  test('never gives a secret back', async () => {
    const value = 'correct-horse-battery-staple';
    await caisson.client.environments.create({ name: 'vault' });
    const set = await call({ method: 'PUT', path: '/v1/environments/vault/secrets/TOKEN', body: { value } });
    expect({ status: set.status, text: set.text }).toEqual({ status: 204, text: '' });
    const shown = await Promise.all([
      call({ path: '/v1/environments/vault' }),
      call({ path: '/v1/environments' }),
      call({ path: '/v1/environments/vault/secrets/TOKEN' }),
      call({ method: 'PUT', path: '/v1/environments/vault/secrets/TOKEN', body: { value, extra: value } }),
      call({ method: 'PUT', path: '/v1/environments/vault/secrets/TOKEN', body: { value: [value] } }),
      call({ path: '/v1/api-keys' }),
      call({ path: '/v1/me' }),
    ]);
    for (const { text } of shown) {
      expect(text).not.toContain(value);
      expect(text).not.toContain(caisson.apiKey);
    }
    expect(shown[0].json).toMatchObject({ secretNames: ['TOKEN'] });
  });

  describe('tells about itself', () => {
    test('in an OpenAPI 3.1 document with every route in it', async () => {
      const document = (await ask(caisson.url, { path: '/v1/openapi.json' })).json as OpenApi;
      expect(document.openapi).toBe('3.1.0');
      const listed = Object.entries(document.paths).flatMap(([path, operations]) =>
        Object.keys(operations).map((method) => `${method} ${path}`),
      );
      const served = routes(caisson).map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
      expect(listed.toSorted()).toEqual(served.toSorted());
      expect(problemsOf(document)).toEqual([]);
    });

    test('to supervisors: it lives, and it is ready', async () => {
      expect(await ask(caisson.url, { path: '/healthz' })).toMatchObject({ status: 200, json: { status: 'ok' } });
      expect(await ask(caisson.url, { path: '/readyz' })).toMatchObject({
        status: 200,
        json: { status: 'ok', checks: { log: true, engine: true } },
      });
    });

    test('to those who find a hole', async () => {
      const { status, headers, text } = await ask(caisson.url, { path: '/.well-known/security.txt' });
      expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'text/plain; charset=utf-8' });
      expect(text).toMatch(/^Contact: mailto:security@example\.org\nExpires: \d{4}-\d\d-\d\dT00:00:00\.000Z\n/);
    });

    test('with the headers that keep browsers from doing harm', async () => {
      for (const path of ['/v1/me', '/v1/nothing', '/v1/openapi.json', '/healthz']) {
        const { headers } = await call({ path });
        expect(headers).toMatchObject({
          'content-security-policy': expect.stringContaining("default-src 'none'"),
          'x-content-type-options': 'nosniff',
          'x-frame-options': expect.any(String),
          'referrer-policy': 'no-referrer',
          'strict-transport-security': expect.any(String),
          'cache-control': 'no-store',
          'content-type': 'application/json; charset=utf-8',
        });
        expect(headers).not.toHaveProperty('x-powered-by');
        expect(headers).not.toHaveProperty('access-control-allow-origin');
      }
    });

    test.each(['HEAD', 'OPTIONS', 'TRACE'])('but does nothing for %s', async (method) => {
      const before = (await caisson.client.runs.list({ limit: 200 })).items.length;
      for (const path of ['/v1/runs', `/v1/runs/${RUN}/cancel`, '/v1/api-keys', '/healthz']) {
        const { status, text, headers } = await call({ method, path });
        expect(status, path).toBeLessThan(500);
        expect(headers).not.toHaveProperty('access-control-allow-origin');
        if (method === 'HEAD') expect(text).toBe('');
        expect(text).not.toContain(caisson.apiKey);
      }
      expect((await caisson.client.runs.list({ limit: 200 })).items).toHaveLength(before);
    });
  });
});

describeSandboxed('an API with tight limits', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_RATE_LIMIT_REQUESTS: '12', CAISSON_RATE_LIMIT_RUNS: '2' });
  });
  afterAll(async () => caisson?.close());

  test('counts run starts by key and requests by address, says how many are left, and then 429', async () => {
    const key = caisson.apiKey;
    const start = () => ask(caisson.url, { path: '/v1/runs', key, body: { prompt: 'true', agent: 'nobody' } });
    const starts = [await start(), await start(), await start()];
    expect(starts.map(({ status }) => status)).toEqual([404, 404, 429]);
    expect(starts[1]?.headers).toMatchObject({ 'ratelimit-limit': '2', 'ratelimit-remaining': '0' });
    expect(starts[2]).toMatchObject({
      code: 'rate_limited',
      message: expect.stringContaining('2 run starts in 15 minutes'),
    });
    expect(Number(starts[2]?.headers['retry-after'])).toBeGreaterThan(0);

    const me = () => ask(caisson.url, { path: '/v1/me', key });
    const others = [];
    for (let i = 0; i < 10; i += 1) others.push(await me());
    expect(others.map(({ status }) => status)).toEqual([...Array<number>(9).fill(200), 429]);
    expect(others[0]?.headers).toMatchObject({ 'ratelimit-limit': '12', 'ratelimit-remaining': '8' });
    expect(others[9]).toMatchObject({ code: 'rate_limited', message: expect.stringContaining('12 requests') });
    // A flood of requests must not make a healthy server look dead.
    expect((await ask(caisson.url, { path: '/healthz' })).status).toBe(200);
  });
});

interface OpenApi {
  readonly openapi: string;
  readonly info: object;
  readonly paths: Record<string, Record<string, Operation>>;
}

interface Operation {
  readonly summary?: string;
  readonly parameters: readonly { name: string; in: string; required: boolean; schema?: object }[];
  readonly responses: Record<string, { description?: string }>;
}

/** What the specification asks for beyond the form: every path parameter declared, references that lead somewhere. */
function problemsOf(document: OpenApi): string[] {
  const problems: string[] = [];
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, { summary, parameters, responses }] of Object.entries(operations)) {
      const where = `${method} ${path}`;
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      const declared = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name);
      if (new Set([...inPath, ...declared]).size !== inPath.length) problems.push(`${where}: path parameters`);
      if (parameters.some((parameter) => parameter.in === 'path' && !parameter.required))
        problems.push(`${where}: optional path`);
      if (parameters.some((parameter) => parameter.schema === undefined))
        problems.push(`${where}: parameter without schema`);
      if (!summary) problems.push(`${where}: no summary`);
      if (Object.values(responses).some(({ description }) => !description)) problems.push(`${where}: no description`);
      if (!Object.keys(responses).some((status) => status.startsWith('2'))) problems.push(`${where}: no success`);
    }
  }
  const references = JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g);
  for (const [, pointer] of references) {
    let found: unknown = document;
    for (const part of pointer!.split('/')) found = (found as Record<string, unknown> | undefined)?.[part];
    if (found === undefined) problems.push(`#/${pointer} leads nowhere`);
  }
  return problems;
}

const idOf = (answer: Answer): string => (answer.json as { id: string }).id;
const git = (url: string) => ({ kind: 'git', url });

function routes({ server }: TestServer) {
  return allRoutes(server.context);
}

/** A route's path with something of the right form in each place. */
function filled(path: string): string {
  const ids: Record<string, string> = { '/runs/:id': `/runs/${RUN}`, '/api-keys/:id': `/api-keys/${KEY}` };
  const known = Object.entries(ids).find(([prefix]) => path.startsWith(prefix));
  const start = known ? path.replace(known[0], known[1]) : path;
  return start.replace(':approvalId', 'apr_1').replace(':name', 'TOKEN').replace(':id', 'default');
}

async function ownerOf({ client, server }: TestServer) {
  const { organization, member } = await client.me();
  return { organizationId: organization.id, memberId: member.id, role: member.role, context: server.context };
}
