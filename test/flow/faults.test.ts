import { execFile } from 'node:child_process';
import { mkdtemp, rm, statfs, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeSandboxed } from '../support/sandboxed.ts';
import {
  finished,
  leftovers,
  ofType,
  said,
  startTestServer,
  untilEnded,
  untilEvent,
  type TestServer,
} from '../support/server.ts';

const exec = promisify(execFile);

/** What goes wrong on its own, and what a hostile agent makes go wrong. Nothing is lost, nothing is left behind. */
describeSandboxed('a run whose agent', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_MAX_LOG_MIB_PER_RUN: '4' });
    await caisson.client.environments.create({
      name: 'small',
      resources: { cpus: 1, memoryMiB: 256, diskMiB: 64, maxProcesses: 64 },
    });
  });
  afterAll(async () => {
    expect(await leftovers(caisson)).toEqual([]);
    await caisson.close();
  });
  const start = async (prompt: string, more: object = {}) => (await caisson.client.runs.create({ prompt, ...more })).id;
  const outcome = async (prompt: string, more: object = {}) => finished(caisson.client, await start(prompt, more));

  test('uses more memory than it may, is told so', async () => {
    const { run } = await outcome('python3 -c "x = bytearray(10**9); print(len(x))"', { environment: 'small' });
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'out_of_memory' } });
  });

  test('fills the disk, meets its limit and lives on', async () => {
    const { run, events } = await outcome(
      'dd if=/dev/zero of=big bs=1M count=500 2>&1 | grep -o "No space left"; rm big; echo alive',
      { environment: 'small' },
    );
    expect(said(events)).toBe('No space left\nalive\n');
    expect(run.state).toBe('succeeded');
  });

  test('leaves a full disk behind, fails for that reason', async () => {
    const { run } = await outcome('head -c 60M /dev/urandom > big; exit 0', { environment: 'small' });
    expect(run).toMatchObject({
      state: 'failed',
      failure: { code: 'result_failed', message: expect.stringMatching(/No space left|unable to write/i) },
    });
  });

  test('forks 500 processes, is stopped by the limit and lives on', async () => {
    const { run, events } = await outcome(
      'for i in $(seq 500); do sleep 30 & done 2>&1 | grep -m 1 -o "Resource temporarily unavailable"; echo alive',
      { environment: 'small' },
    );
    expect(said(events)).toContain('alive');
    expect(run.state).toBe('succeeded');
  });

  test('writes one line of 1 MB, and every character arrives', async () => {
    const { events } = await outcome("head -c 1000000 /dev/zero | tr '\\0' x; echo");
    expect(said(events)).toBe(`${'x'.repeat(1_000_000)}\n`);
  });

  test('writes what is no UTF-8, and it is replaced', async () => {
    const { events, run } = await outcome("printf '\\377\\376 ok\\n'; exit 0");
    expect(said(events)).toBe('\ufffd\ufffd ok\n');
    expect(run.state).toBe('succeeded');
  });

  test('floods its output, is stopped at the limit of the log, and says so', async () => {
    const { run, events } = await outcome('yes "all work and no play"');
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'log_limit' } });
    expect(events.at(-1)).toMatchObject({ type: 'run.state', data: { to: 'failed' } });
  });

  test('ends with an error, has failed with its exit code', async () => {
    const { run } = await outcome('echo oh no >&2; exit 7');
    expect(run).toMatchObject({
      state: 'failed',
      failure: { code: 'agent_exited', message: 'The script ended with exit code 7.' },
    });
  });

  test('breaks its repository, fails without a patch', async () => {
    const { run } = await outcome('rm -rf .git; echo done');
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'result_failed' }, patch: null });
  });

  test('plants hooks, filters and a file-system monitor for git: none of them runs outside, the patch is right', async () => {
    const { run } =
      await outcome(`git config core.fsmonitor 'touch /workspace/monitored'; git config filter.x.clean 'cat; touch /workspace/filtered'
echo '* filter=x' > .gitattributes; mkdir -p .git/hooks; printf '#!/bin/sh\\ntouch /workspace/hooked\\n' > .git/hooks/post-commit; chmod +x .git/hooks/post-commit; echo a > a.txt`);
    expect(run.state).toBe('succeeded');
    expect(run.patch?.paths).toContain('a.txt');
  });

  test.each([
    ['exits at once', ['/bin/sh', '-c', 'echo broken >&2; exit 3'], 'agent_exited', 'broken'],
    ['is not there', ['/opt/agents/nobody'], 'agent_unavailable', 'No such file'],
    ['speaks no ACP but fills stdout', ['/bin/sh', '-c', 'yes garbage'], 'agent_protocol', ''],
    [
      'answers with another protocol',
      ['/bin/sh', '-c', 'read line; echo \'{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"x"}}\'; sleep 5'],
      'agent_protocol',
      '',
    ],
  ])('%s', async (name, command, code, message) => {
    const agent = await caisson.client.agents.create({
      name: `bad-${name.toLowerCase().replace(/\W+/g, '-')}`,
      command,
    });
    const { run } = await outcome('hello', { agent: agent.name });
    expect(run).toMatchObject({ state: 'failed', failure: { code, message: expect.stringContaining(message) } });
  });

  test('is in a sandbox that somebody kills: the run ends with it, its streams do not hang', async () => {
    const id = await start('echo ready; sleep 300');
    const ready = await untilEvent(caisson.client, id, (event) => event.type === 'sandbox.ready');
    await untilEvent(caisson.client, id, (event) => event.type === 'agent.message');
    if (ready.type === 'sandbox.ready') await exec('docker', ['kill', ready.data.sandboxId]);
    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'sandbox_died' } });
    expect(ofType(events, 'sandbox.destroyed')[0]?.data.absent).toEqual({
      container: true,
      mount: true,
      loopDevice: true,
      socket: true,
    });
  });
});

describeSandboxed('a source', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_MAX_UPLOAD_MIB: '1' });
  });
  afterAll(async () => {
    expect(await leftovers(caisson)).toEqual([]);
    await caisson.close();
  });

  test('that is a bundle only by its first line fails the run with what git says', async () => {
    const upload = await caisson.client.uploads.create(
      Buffer.from(`# v2 git bundle\n${'a'.repeat(40)} refs/heads/main\n\nnot a pack`),
    );
    const { id } = await caisson.client.runs.create({ prompt: 'ls', source: { kind: 'upload', uploadId: upload.id } });
    expect(await untilEnded(caisson.client, id)).toMatchObject({ state: 'failed', failure: { code: 'source_failed' } });
  });

  test('that is no bundle is refused, and so is one that is too large', async () => {
    await expect(caisson.client.uploads.create(Buffer.from('PK\u0003\u0004 a zip file, say'))).rejects.toMatchObject({
      code: 'invalid_request',
    });
    await expect(caisson.client.uploads.create(Buffer.from(''))).rejects.toMatchObject({ code: 'invalid_request' });
    await expect(
      caisson.client.uploads.create(Buffer.concat([Buffer.from('# v2 git bundle\n'), Buffer.alloc(2 * 1024 * 1024)])),
    ).rejects.toMatchObject({ code: 'payload_too_large' });
  });

  test('that is a git URL off the allow-list fails with the gateway’s reason in the log', async () => {
    const { id } = await caisson.client.runs.create({
      prompt: 'ls',
      source: { kind: 'git', url: 'https://git.example.org/a/b.git' },
    });
    const { run, events } = await finished(caisson.client, id);
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'source_failed' } });
    expect(ofType(events, 'egress.denied')[0]?.data).toMatchObject({ host: 'git.example.org' });
  });
});

describeSandboxed('a log that cannot be written', () => {
  test('closes the way out and stops the run; when there is room again, the run is closed in the log', async () => {
    const requests: string[] = [];
    const upstream = createServer((request, response) => {
      requests.push(request.url ?? '');
      response.end('ok');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const { port } = upstream.address() as AddressInfo;
    const folder = await mkdtemp(join(tmpdir(), 'caisson-full-'));
    await exec('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=0700', 'tmpfs', folder]);
    let caisson: TestServer | undefined;
    try {
      caisson = await startTestServer({
        CAISSON_DATA_DIR: join(folder, 'data'),
        CAISSON_LOG_LEVEL: 'silent',
        CAISSON_EGRESS_PRIVATE_HOSTS: `up.internal:${port}=127.0.0.1/32`,
      });
      const { client } = caisson;
      await client.environments.create({
        name: 'up',
        network: { mode: 'allowlist', groups: [], patterns: [`up.internal:${port}`], allowNonTls: false },
      });
      const { id } = await client.runs.create({
        environment: 'up',
        prompt: `i=0; while :; do i=$((i+1)); curl -s "http://up.internal:${port}/$i" > /dev/null; head -c 20000 /dev/urandom | base64; done`,
      });
      await untilEvent(client, id, (event) => event.type === 'egress.allowed');
      const { bavail, bsize } = await statfs(folder);
      await writeFile(join(folder, 'filler'), Buffer.alloc(bavail * bsize - 64 * 1024)).catch(() => undefined);

      const deadline = Date.now() + 30_000;
      const containers = async () =>
        (await exec('docker', ['ps', '-q', '--filter', `label=caisson.run=${id}`])).stdout.trim();
      while ((await containers()) !== '' && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 200));
      expect(await containers()).toBe('');
      const afterStop = requests.length;

      await rm(join(folder, 'filler'));
      const run = await untilEnded(client, id);
      expect(run).toMatchObject({ state: 'failed', failure: { code: 'log_unavailable' } });
      const { events } = await finished(client, id);
      const recorded = ofType(events, 'egress.allowed').length;
      expect(requests.length).toBe(afterStop);
      expect(requests.length).toBeLessThanOrEqual(recorded);
      expect(await leftovers(caisson)).toEqual([]);
    } finally {
      await caisson?.close();
      upstream.close();
      await exec('umount', ['--lazy', folder]);
      await rm(folder, { recursive: true, force: true });
    }
  });
});
