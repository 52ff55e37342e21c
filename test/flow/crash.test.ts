import { execFile } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ClientEvent } from '../../shared/client/event.ts';
import type { EventOf } from '../../shared/protocol/events.ts';
import { openAccount, serve, type Account } from '../support/cli.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import {
  connect,
  finished,
  leftovers,
  ofType,
  startTestServer,
  untilEvent,
  type TestServer,
} from '../support/server.ts';

const exec = promisify(execFile);

describeSandboxed('a server that is killed in the middle of a run', () => {
  let account: Account;
  beforeAll(async () => {
    account = await openAccount();
  });
  afterAll(async () => account?.[Symbol.asyncDispose]());

  test('is followed by one that ends the run, destroys its sandbox, and continues the chain and the streams', async () => {
    const dataDir = join(account.home, 'data');
    const first = await serve(account, { dataDir });
    const { apiKey } = await credentials(account, first.url);
    const client = connect(first.url, apiKey);
    const phases: string[] = [];
    const received: ClientEvent[] = [];
    let second: Awaited<ReturnType<typeof serve>> | undefined;
    try {
      const { id } = await client.runs.create({ prompt: 'i=0; while :; do echo $((i++)); sleep 0.05; done' });
      const following = (async () => {
        const onStatus = ({ phase }: { phase: string }) => void phases.push(phase);
        for await (const event of client.follow(id, { verify: true, onStatus })) received.push(event);
      })();
      await untilEvent(client, id, (event) => event.type === 'agent.message' && event.data.text.includes('5\n'));
      const ready = received.find((event): event is EventOf<'sandbox.ready'> => event.type === 'sandbox.ready');
      const sandboxId = ready!.data.sandboxId;
      const before = await client.runs.events(id, { limit: 1000 });

      first.process.kill('SIGKILL');
      await first.exited;
      expect(await containersOf(id)).toEqual([sandboxId]);
      expect(await mountsOf(dataDir)).toHaveLength(1);

      second = await serve(account, { dataDir, port: Number(new URL(first.url).port) });
      expect(second.url).toBe(first.url);
      await following;

      expect(phases).toContain('waiting');
      expect(received.map((event) => event.seq)).toEqual(received.map((_event, index) => index + 1));
      expect(received.slice(0, before.items.length)).toEqual(before.items);
      expect(received.at(-1)).toMatchObject({
        type: 'run.state',
        data: { from: 'running', to: 'failed', failure: { code: 'server_restarted' } },
      });
      expect(await containersOf(id)).toEqual([]);
      expect(await mountsOf(dataDir)).toEqual([]);
      expect(await loopDevicesOf(dataDir)).toEqual([]);

      const verified = await account.caisson(['audit', 'verify', id, '--json'], { env: { CAISSON_URL: first.url } });
      expect(verified.lines[0]).toMatchObject({ ok: true, events: received.length, signedBy: expect.any(String) });
      const next = await client.runs.create({ prompt: 'echo it works again' });
      expect((await finished(client, next.id)).run.state).toBe('succeeded');
    } finally {
      client.close();
      first.process.kill('SIGKILL');
      await second?.stop();
    }
  });
});

describeSandboxed('a sandbox whose disk somebody else looks at for a moment, as udev does', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer();
  });
  afterAll(async () => caisson?.close());

  test('is gone when its run has ended, device included', async () => {
    const { id } = await caisson.client.runs.create({ prompt: 'sleep 300' });
    await untilEvent(caisson.client, id, (event) => event.type === 'git.ready');
    const [mount] = await mountsOf(caisson.dataDir);
    const device = await open(mount!.split(' ')[0]!, 'r');
    const letGo = setTimeout(() => void device.close(), 3000);
    try {
      await caisson.client.runs.cancel(id);
      const { events } = await finished(caisson.client, id);
      expect(ofType(events, 'sandbox.destroyed')[0]?.data.absent.loopDevice).toBe(true);
      expect(ofType(events, 'alert.raised')).toEqual([]);
      expect(await leftovers(caisson)).toEqual([]);
    } finally {
      clearTimeout(letGo);
      await device.close();
    }
  });
});

async function credentials(account: Account, url: string): Promise<{ apiKey: string }> {
  const text = await readFile(join(account.home, '.caisson', 'credentials.json'), 'utf8');
  return (JSON.parse(text) as { servers: Record<string, { apiKey: string }> }).servers[url]!;
}

async function containersOf(runId: string): Promise<string[]> {
  const { stdout } = await exec('docker', ['ps', '-aq', '--no-trunc', '--filter', `label=caisson.run=${runId}`]);
  return stdout.split('\n').filter(Boolean);
}

async function mountsOf(folder: string): Promise<string[]> {
  return (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter((line) => line.includes(folder));
}

async function loopDevicesOf(folder: string): Promise<string[]> {
  const { stdout } = await exec('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
  return stdout.split('\n').filter((line) => line.includes(folder));
}
