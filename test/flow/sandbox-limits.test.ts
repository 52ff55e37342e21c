import { afterAll, beforeAll, expect, it } from 'vitest';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Sandbox, SandboxSpec } from '../../server/sandbox/sandbox.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { openSandboxHost, run, sh, type SandboxHost } from '../support/sandbox-host.ts';

const MIB = 1024 ** 2;
const docker = (...args: string[]) => promisify(execFile)('docker', args);

describeSandboxed('a sandbox’s limits', () => {
  let host: SandboxHost;
  beforeAll(async () => {
    host = await openSandboxHost();
  });
  afterAll(async () => {
    await host?.[Symbol.asyncDispose]();
  });
  async function withSandbox(
    overrides: Partial<SandboxSpec>,
    test: (sandbox: Sandbox) => Promise<void>,
  ): Promise<void> {
    const sandbox = await host.create(overrides);
    try {
      await test(sandbox);
    } finally {
      await sandbox.destroy();
    }
  }

  it('stop writing to /workspace at the size of its disk, and leave the sandbox usable', () =>
    withSandbox({ diskBytes: 64 * MIB }, async (sandbox) => {
      const filled = await sh(sandbox, 'head -c 200M /dev/zero > big; ls -l big | cut -d" " -f5');
      expect(filled.stderr).toContain('No space left');
      expect(Number(filled.stdout)).toBeLessThanOrEqual(64 * MIB);
      expect(Number(filled.stdout)).toBeGreaterThan(32 * MIB);
      expect((await sh(sandbox, 'rm big && echo fits > small && cat small')).stdout).toBe('fits\n');
    }));

  it('bound a burst of 500 forks, and killAll ends it', () =>
    withSandbox({ maxProcesses: 100 }, async (sandbox) => {
      const bomb = await sandbox.exec(['python3', '-c', FORK_500]);
      bomb.stdin.end();
      bomb.stderr.resume();
      let forked = '';
      for await (const chunk of bomb.stdout) {
        forked += String(chunk);
        if (forked.endsWith('\n')) break;
      }
      expect(Number(forked)).toBeGreaterThan(50);
      expect(Number(forked)).toBeLessThan(100);
      await sandbox.killAll();
      const after = await run(sandbox, ['sh', '-c', 'pgrep -u agent -c .; ps -u agent -o comm= | grep -c python3']);
      expect(after.stdout.trim().split('\n').at(-1)).toBe('0');
      expect((await sh(sandbox, 'echo alive | socat -t 5 - TCP:127.0.0.1:3128')).stdout).toBe('alive\n');
    }));

  it('stop a fork bomb that breeds faster than it is looked at', () =>
    withSandbox({ maxProcesses: 200 }, async (sandbox) => {
      const bomb = await sandbox.exec(['bash', '-c', 'b() { b | b & sleep 0.01; }; b 2>/dev/null']);
      bomb.stdin.end();
      bomb.stdout.resume();
      bomb.stderr.resume();
      await new Promise((resolve) => setTimeout(resolve, 2_000));
      await sandbox.killAll();
      const left = await run(sandbox, ['sh', '-c', 'ps -u agent -o pid= | wc -l']);
      expect(Number(left.stdout)).toBeLessThanOrEqual(4);
    }));

  it('report too much memory as such, and end the streams of what was running', () =>
    withSandbox({ memoryBytes: 192 * MIB }, async (sandbox) => {
      const waiting = await sandbox.exec(['sh', '-c', 'echo waiting; sleep 1000']);
      let seen = '';
      waiting.stderr.resume();
      const ended = new Promise<void>((resolve) =>
        waiting.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString())).on('end', resolve),
      );
      await expect.poll(() => seen, { timeout: 10_000 }).toBe('waiting\n');
      const eater = await sandbox.exec(['sh', '-c', 'head -c 1000M /dev/zero | tail']);
      eater.stdout.resume();
      eater.stderr.resume();
      expect(await sandbox.exited).toMatchObject({ outOfMemory: true, reason: 'out_of_memory' });
      await ended;
      await expect(waiting.exit).rejects.toMatchObject({ code: 'sandbox_unavailable' });
      await expect(eater.exit).rejects.toThrow('more memory than it may');
    }));

  it('are not the end of the streams only: a sandbox killed from outside ends them too', () =>
    withSandbox({}, async (sandbox) => {
      const process = await sandbox.exec(['sh', '-c', 'echo up; sleep 1000']);
      process.stderr.resume();
      let seen = '';
      const ended = new Promise<void>((resolve) =>
        process.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString())).on('end', resolve),
      );
      await expect.poll(() => seen, { timeout: 10_000 }).toBe('up\n');
      await docker('kill', sandbox.id);
      expect(await sandbox.exited).toEqual({ exitCode: 137, outOfMemory: false, reason: 'exited' });
      await ended;
      await expect(process.exit).rejects.toThrow('The sandbox died');
      await expect(sandbox.exec(['true'])).rejects.toThrow();
    }));

  it('leave the engine’s inspection free of what an exec was given', () =>
    withSandbox({}, async (sandbox) => {
      const process = await sandbox.exec(['sleep', '30'], { env: { CANARY: 'canary-91c2' } });
      process.stdout.resume();
      process.stderr.resume();
      const { stdout } = await docker('inspect', sandbox.id);
      expect(stdout).toContain('ExecIDs');
      expect(stdout).not.toContain('canary-91c2');
    }));
});

/** Python says how far it came; bash would wait and retry at the limit. */
const FORK_500 = `
import os, time, sys
n = 0
for _ in range(500):
    try:
        if os.fork() == 0:
            time.sleep(600)
            os._exit(0)
        n += 1
    except OSError:
        break
print(n, flush=True)
time.sleep(600)
`;
