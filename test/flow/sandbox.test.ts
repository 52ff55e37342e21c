import { afterAll, beforeAll, expect, it } from 'vitest';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../server/base/clock.ts';
import { createLogger } from '../../server/base/logger.ts';
import { createGvisorRuntime } from '../../server/sandbox/gvisor/runtime.ts';
import type { Absence, Sandbox } from '../../server/sandbox/sandbox.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { openSandboxHost, sh, type SandboxHost } from '../support/sandbox-host.ts';

const GONE: Absence = { container: true, mount: true, loopDevice: true, socket: true };
const docker = (...args: string[]) => promisify(execFile)('docker', args);

describeSandboxed('the life of a sandbox', () => {
  let host: SandboxHost;
  beforeAll(async () => {
    host = await openSandboxHost();
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  /** Looks with other means than the code under test: nothing of any sandbox of this host may be left. */
  async function expectNothingLeft(): Promise<void> {
    const containers = await docker('ps', '-aq', '--filter', `label=caisson.server=${host.serverId}`);
    expect(containers.stdout).toBe('');
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(host.dataDir);
    const loops = await promisify(execFile)('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE']);
    expect(loops.stdout).not.toContain(host.dataDir);
    const folder = join(host.dataDir, 'sandboxes');
    expect(existsSync(folder) ? await readdir(folder) : []).toEqual([]);
  }

  it('begins with its identity, and ends with nothing left', async () => {
    let identified = '';
    const sandbox = await host.create({ onIdentified: (id) => (identified = id) });
    expect(identified).toBe(sandbox.id);
    expect(await host.runtime.list()).toEqual([{ id: sandbox.id, runId: sandbox.runId, running: true }]);
    expect(await sandbox.destroy()).toEqual(GONE);
    expect(await sandbox.exited).toMatchObject({ reason: 'destroyed', outOfMemory: false });
    expect(await sandbox.destroy()).toEqual(GONE);
    await expectNothingLeft();
  });

  it('can be destroyed by several at once, and while it is paused', async () => {
    const sandbox = await host.create();
    await sandbox.pause();
    expect(await Promise.all([sandbox.destroy(), sandbox.destroy()])).toEqual([GONE, GONE]);
    await expectNothingLeft();
  });

  it('stands still while it is paused', async () => {
    const sandbox = await host.create();
    try {
      const process = await sandbox.exec(['bash', '-c', 'while :; do echo tick; sleep 0.05; done']);
      let ticks = 0;
      process.stderr.resume();
      process.stdout.on('data', () => (ticks += 1));
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(2);
      await sandbox.pause();
      await new Promise((resolve) => setTimeout(resolve, 300)); // What was already on its way.
      const before = ticks;
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      expect(ticks).toBe(before);
      await sandbox.resume();
      await expect.poll(() => ticks, { timeout: 10_000 }).toBeGreaterThan(before);
    } finally {
      await sandbox.destroy();
    }
  });

  it('is measured', async () => {
    const sandbox = await host.create();
    try {
      await sh(sandbox, 'head -c 20M /dev/zero > /tmp/x');
      const stats = await sandbox.stats();
      expect(stats.memoryBytes).toBeGreaterThan(20 * 1024 ** 2);
      expect(stats.cpuMs).toBeGreaterThan(0);
      expect(stats.processes).toBeGreaterThan(0);
    } finally {
      await sandbox.destroy();
    }
  });

  it.each([0, 5, 20, 60, 150, 300])('leaves nothing when its creation is aborted after %i ms', async (ms) => {
    const controller = new AbortController();
    const created = host.runtime.create(await host.spec(), controller.signal);
    setTimeout(() => controller.abort(new Error('aborted')), ms);
    const outcome = await created.catch((error: unknown) => error as Error);
    if (outcome instanceof Error) expect(outcome.message).toBe('aborted');
    else await outcome.destroy(); // The machine was faster than the abort.
    await expectNothingLeft();
  });

  it.each([
    ['an image that does not exist', { image: 'caisson/no-such-image' }, 'no image «caisson/no-such-image»'],
    ['a disk too small for a file system', { diskBytes: 1024 }, 'mkfs.ext4'],
    ['a folder that does not exist', { readOnlyMounts: [{ source: '/no/such', target: '/opt/x' }] }, 'refused'],
  ])('leaves nothing when it fails for %s', async (_, overrides, message) => {
    await expect(host.create(overrides)).rejects.toThrow(message);
    await expectNothingLeft();
  });

  it('leaves nothing when whoever is told of its identity fails', async () => {
    const onIdentified = () => {
      throw new Error('the witness cannot take it');
    };
    await expect(host.create({ onIdentified })).rejects.toThrow('the witness cannot take it');
    await expectNothingLeft();
  });

  it('refuses a runtime that is not gVisor, unless that is allowed', async () => {
    const options = {
      serverId: host.serverId,
      dataDir: host.dataDir,
      runtime: 'runc',
      logger: createLogger('silent'),
      clock: systemClock,
    };
    const strict = createGvisorRuntime({ ...options, allowUnsandboxed: false });
    expect(await strict.describe()).toMatchObject({ sandboxed: false, traceSocket: undefined });
    await expect(strict.create(await host.spec(), new AbortController().signal)).rejects.toThrow('is not gVisor');
    const lax = createGvisorRuntime({ ...options, allowUnsandboxed: true });
    const sandbox = await lax.create(await host.spec(), new AbortController().signal);
    expect(sandbox.kernel).not.toContain('gVisor');
    expect(await sandbox.destroy()).toEqual(GONE);
    await expectNothingLeft();
  });

  it('names a runtime that the engine does not know', async () => {
    const runtime = createGvisorRuntime({
      serverId: host.serverId,
      dataDir: host.dataDir,
      runtime: 'no-such-runtime',
      allowUnsandboxed: false,
      logger: createLogger('silent'),
      clock: systemClock,
    });
    await expect(runtime.describe()).rejects.toThrow('caisson setup --runtime no-such-runtime');
  });

  it('mounts agents read-only', async () => {
    const folder = await mkdtemp(join(host.dataDir, 'agent-'));
    await writeFile(join(folder, 'hello'), 'from the host');
    const sandbox = await host.create({ readOnlyMounts: [{ source: folder, target: '/opt/agents/x' }] });
    try {
      await promisify(execFile)('chmod', ['755', folder]);
      expect((await sh(sandbox, 'cat /opt/agents/x/hello')).stdout).toBe('from the host');
      expect((await sh(sandbox, 'echo no > /opt/agents/x/hello')).exitCode).not.toBe(0);
    } finally {
      await sandbox.destroy();
    }
  });

  it('is found and destroyed by the server that comes after a crash', async () => {
    const left = await Promise.all([host.create(), host.create()]);
    const process = await left[0].exec(['sleep', '1000']);
    process.stdout.resume();
    process.stderr.resume();
    expect(await host.runtime.reap()).toEqual([]); // A server never reaps what it works on.
    const reaped = await host.restarted().reap();
    expect([...reaped].sort()).toEqual(left.map(({ runId }) => runId).sort());
    await expectNothingLeft();
    // Their first owner, if it lives, sees them gone.
    expect((await left[0].exited).reason).not.toBe('out_of_memory');
    await expect(process.exit).rejects.toThrow();
  });

  it('exists twenty times at once', async () => {
    const created = await Promise.allSettled(
      Array.from({ length: 20 }, () =>
        host.create({ cpus: 0.5, memoryBytes: 256 * 1024 ** 2, diskBytes: 64 * 1024 ** 2 }),
      ),
    );
    const sandboxes = created
      .filter((result): result is PromiseFulfilledResult<Sandbox> => result.status === 'fulfilled')
      .map(({ value }) => value);
    const answers = await Promise.all(sandboxes.map((sandbox) => sh(sandbox, `echo ${sandbox.runId} > me; cat me`)));
    const absences = await Promise.all(sandboxes.map((sandbox) => sandbox.destroy()));
    expect(created.filter(({ status }) => status === 'rejected')).toEqual([]);
    expect(answers.map(({ stdout }) => stdout.trim())).toEqual(sandboxes.map(({ runId }) => runId));
    expect(absences).toEqual(sandboxes.map(() => GONE));
    await expectNothingLeft();
  }, 180_000);
});
