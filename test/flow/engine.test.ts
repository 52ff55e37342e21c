import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEngine } from '../../server/sandbox/gvisor/engine.ts';
import { engineStep } from '../../server/setup/engine.ts';
import { systemdRuns } from '../../server/setup/host.ts';
import { ask } from '../support/request.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { finished, leftovers, ofType, startTestServer, untilEvent, type TestServer } from '../support/server.ts';

const exec = promisify(execFile);
const PID_FILE = '/var/run/docker.pid';
const STOP_DEADLINE_MS = 40_000;
const engine = connectEngine();

/** The engine goes away under a run, as an upgrade of its package makes it. */
describeSandboxed('a run whose container engine is stopped', () => {
  let caisson: TestServer;
  beforeAll(async () => {
    caisson = await startTestServer({ CAISSON_LOG_LEVEL: 'silent' });
  });
  afterAll(async () => {
    await startEngine();
    await caisson?.close();
  });

  test('ends with that reason, leaves nothing once the engine is back, and the next one works', async () => {
    const { id } = await caisson.client.runs.create({ prompt: 'echo ready; sleep 300' });
    await untilEvent(caisson.client, id, (event) => event.type === 'agent.message');
    const ending = finished(caisson.client, id);
    try {
      await stopEngine();
      expect(await ask(caisson.url, { path: '/readyz' })).toMatchObject({
        status: 503,
        json: { checks: { engine: false } },
      });
      // Meanwhile a run cannot begin, and says why.
      const stillborn = await caisson.client.runs.create({ prompt: 'echo too early' });
      const { run } = await finished(caisson.client, stillborn.id);
      expect(run).toMatchObject({ state: 'failed', failure: { code: 'sandbox_failed' } });
      expect(run.failure?.message).toMatch(/engine/i);
    } finally {
      await startEngine();
    }
    const { run, events } = await ending;
    expect(run).toMatchObject({ state: 'failed', failure: { code: 'engine_lost' } });
    expect(ofType(events, 'sandbox.destroyed')[0]?.data.absent).toEqual({
      container: true,
      mount: true,
      loopDevice: true,
      socket: true,
    });
    expect(await leftovers(caisson)).toEqual([]);

    const next = await caisson.client.runs.create({ prompt: 'echo it works again' });
    expect((await finished(caisson.client, next.id)).run.state).toBe('succeeded');
    await expect.poll(async () => (await ask(caisson.url, { path: '/readyz' })).status, { timeout: 20_000 }).toBe(200);
  });
});

async function stopEngine(): Promise<void> {
  if (systemdRuns()) {
    // The socket unit would start the engine again with the first question.
    await exec('systemctl', ['stop', 'docker.socket', 'docker.service']);
  } else {
    const pid = Number((await readFile(PID_FILE, 'utf8')).trim());
    if (!(pid > 1)) throw new Error(`${PID_FILE} does not name the engine's process.`);
    process.kill(pid, 'SIGTERM');
    for (const deadline = Date.now() + STOP_DEADLINE_MS; isAlive(pid); await sleep(100)) {
      if (Date.now() > deadline) throw new Error(`The engine (process ${pid}) did not stop.`);
    }
  }
  expect(await engine.answers()).toBe(false);
}

/** As `caisson setup` starts it. */
async function startEngine(): Promise<void> {
  await engineStep(engine).apply(() => undefined);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
