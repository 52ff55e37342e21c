import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSandboxed } from '../support/sandboxed.ts';
import {
  bundleOf,
  finished,
  leftovers,
  ofType,
  repository,
  said,
  startTestServer,
  type TestServer,
} from '../support/server.ts';

/** The main job, whole: a dirty workspace goes in, an agent works in a real sandbox, and all of it is in the log. */
describeSandboxed('a run', () => {
  let upstream: Server;
  let port: number;
  let caisson: TestServer;

  beforeAll(async () => {
    upstream = createServer((_request, response) => response.end('the notes'));
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    port = (upstream.address() as AddressInfo).port;
    caisson = await startTestServer({ CAISSON_EGRESS_PRIVATE_HOSTS: `notes.internal:${port}=127.0.0.1/32` });
    await caisson.client.environments.create({
      name: 'notes',
      network: { mode: 'allowlist', groups: [], patterns: [`notes.internal:${port}`], allowNonTls: false },
      variables: { GREETING: 'hello' },
    });
  });
  afterAll(async () => {
    await caisson?.close();
    upstream?.close();
  });

  test('turns a bundle of a dirty workspace into a patch, and tells everything on the way', async () => {
    const repo = await repository({ 'a.txt': 'one\n', '.gitignore': 'ignored\n' });
    await repo.git('rm', '--cached', '--quiet', 'a.txt');
    const upload = await caisson.client.uploads.create(await bundleOf(repo.path));
    const prompt = `cat a.txt; echo "$GREETING"; echo two >> a.txt; echo new > b.txt; git add a.txt; git commit -qm 'Add two'
curl -s http://notes.internal:${port}/x; curl -s -o /dev/null http://10.0.0.1/; curl -s -o /dev/null https://example.org/; curl -s -o /dev/null https://93.184.216.34/; exit 0`;
    const { id } = await caisson.client.runs.create({
      prompt,
      environment: 'notes',
      agent: 'shell',
      source: { kind: 'upload', uploadId: upload.id },
    });
    const { run, events } = await finished(caisson.client, id);
    await repo.dispose();

    expect(run.failure).toBeUndefined();
    expect(run.state).toBe('succeeded');
    expect(said(events)).toContain('one\nhello\n');
    expect(said(events)).toContain('the notes');
    expect(run.patch).toMatchObject({ files: 2, insertions: 2, deletions: 0, paths: ['a.txt', 'b.txt'] });
    expect(new TextDecoder().decode(await caisson.client.runs.patch(id))).toContain('+two');
    expect(ofType(events, 'run.result')[0]?.data.commits.map((commit) => commit.subject)).toEqual([
      'Uncommitted work of the run',
      'Add two',
    ]);

    expect(ofType(events, 'egress.allowed').map((event) => event.data.host)).toEqual(['notes.internal']);
    expect(ofType(events, 'egress.denied').map((event) => event.data.host)).toEqual([
      '10.0.0.1',
      'example.org',
      '93.184.216.34',
    ]);
    expect(ofType(events, 'process.exec').some((event) => event.data.path.endsWith('/curl'))).toBe(true);
    expect(ofType(events, 'process.connect').some((event) => event.data.port === 3128)).toBe(true);
    expect(ofType(events, 'sandbox.ready')[0]?.data.kernel).toMatch(/gvisor/i);
    expect(ofType(events, 'sandbox.destroyed')[0]?.data.absent).toEqual({
      container: true,
      mount: true,
      loopDevice: true,
      socket: true,
    });
    expect(events.map((event) => event.seq)).toEqual(events.map((_event, index) => index + 1));
    expect(events.at(-1)?.type).toBe('run.state');
    expect(run.usage).toMatchObject({ egressReceivedBytes: expect.any(Number) });
    expect(await leftovers(caisson)).toEqual([]);
  });

  test('without a source works in an empty repository', async () => {
    const { id } = await caisson.client.runs.create({ prompt: 'git status --short | wc -l; ls -A' });
    const { run, events } = await finished(caisson.client, id);
    expect(run.state).toBe('succeeded');
    expect(said(events)).toBe('0\n.git\n');
    expect(run.patch).toBeNull();
    await expect(caisson.client.runs.patch(id)).resolves.toHaveLength(0);
  });

  test('is sealed: no network, no capabilities, nothing of the host, nothing writable but its own folders', async () => {
    const prompt = `id -u; tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '; grep ' / ' /proc/mounts | grep -o ' ro,' ; grep CapEff /proc/self/status; touch /usr/x 2>&1 | head -c 200; ls /run/caisson; cat /proc/version; dmesg | head -n 1
env | grep -c -i -E 'csn_|secret|password' ; getent hosts example.org || echo no-dns; kill -9 1 2>&1; timeout 3 bash -c 'echo > /dev/tcp/1.1.1.1/80' 2>&1 | tail -n 1; exit 0`;
    const { id } = await caisson.client.runs.create({ prompt });
    const { events } = await finished(caisson.client, id);
    const text = said(events);
    expect(text).toContain('10001\nlo\n ro,\n');
    expect(text).toContain('CapEff:\t0000000000000000');
    expect(text).toContain('Permission denied');
    expect(text).toContain('egress.sock\n');
    expect(text).toMatch(/gvisor/i);
    expect(text).toContain('no-dns');
    expect(text).toMatch(/Operation not permitted/i);
    expect(ofType(events, 'alert.raised').some((event) => event.data.rule === 'witness.direct-connect')).toBe(true);
  });

  test('a setup script sees the secrets, the agent does not, and nobody reads them in the log', async () => {
    const value = 'hunter2-hunter2-hunter2';
    await caisson.client.environments.create({
      name: 'secretive',
      setupScript: 'echo "token: $TOKEN"; printf "%s" "$TOKEN" > /workspace/.token; (sleep 600 &) ; exit 0',
    });
    await caisson.client.environments.setSecret('secretive', 'TOKEN', value);
    const { id } = await caisson.client.runs.create({
      environment: 'secretive',
      prompt:
        'echo "agent: [$TOKEN]"; pgrep sleep || echo no-sleep; cat .token; for i in 1 2 3; do head -c 8 .token; sleep 0.2; tail -c +9 .token; echo; done; rm .token',
    });
    const { run, events } = await finished(caisson.client, id);
    expect(run.state).toBe('succeeded');
    expect(said(events)).toContain('agent: []\nno-sleep\n[redacted:TOKEN]');
    expect(JSON.stringify(events)).not.toContain(value);
    expect(JSON.stringify(await caisson.client.environments.list())).not.toContain(value);
  });
});
