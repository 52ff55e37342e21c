import { expect, it } from 'vitest';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../server/base/package-root.ts';
import { connectEngine } from '../../server/sandbox/gvisor/engine.ts';
import { createTraceSink } from '../../server/witness/trace-sink.ts';
import { traceSocketPath } from '../../server/sandbox/gvisor/trace-socket.ts';
import { createLogger } from '../../server/base/logger.ts';
import { agentPacksStep, agentsDir, knownAgentPacks } from '../../server/setup/agent-packs.ts';
import { checkSandbox } from '../../server/setup/doctor/sandbox.ts';
import { examine } from '../../server/setup/doctor/doctor.ts';
import { setUp } from '../../server/setup/setup.ts';
import { describeSandboxed, temporaryFolder, TEST_IMAGE, TEST_RUNTIME } from '../support/sandboxed.ts';
import { openSandboxHost, run } from '../support/sandbox-host.ts';

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function caisson(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const bootstrap = join(packageRoot(), 'server/cli/bootstrap.mjs');
  return new Promise((resolve) => {
    execFile(process.execPath, [bootstrap, ...args], { env: { ...process.env, ...env } }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

describeSandboxed('a machine that is set up', () => {
  it('needs nothing more', async () => {
    let text = '';
    const console = { write: (more: string) => void (text += more), interactive: false };
    const before = await readFile('/etc/docker/daemon.json', 'utf8');
    expect(await setUp({ yes: true, dryRun: false, runtimes: [TEST_RUNTIME], agents: ['claude'] }, console)).toBe(
      'nothing to do',
    );
    expect(text).toContain('Nothing to do');
    expect(await readFile('/etc/docker/daemon.json', 'utf8')).toBe(before);
  });

  it('is told by a dry run what a further runtime would change, and is not changed', async () => {
    const before = await readFile('/etc/docker/daemon.json', 'utf8');
    const { code, stdout } = await caisson(['setup', '--dry-run', '--runtime', 'caisson-never']);
    expect(code).toBe(0);
    expect(stdout).toContain('/etc/caisson/caisson-never.pod-init.json');
    expect(stdout).toContain('Dry run: nothing was changed.');
    expect(await readFile('/etc/docker/daemon.json', 'utf8')).toBe(before);
  });

  it.each([
    [['setup', '--runtime', '../evil'], 'is not a runtime name'],
    [['setup', '--agent', 'nobody'], 'There is no agent pack «nobody»'],
  ])('refuses %j', async (args, message) => {
    const { code, stderr } = await caisson(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain(message);
  });

  it('passes the doctor', async () => {
    await using data = await temporaryFolder();
    const checks = await examine({ runtime: TEST_RUNTIME, dataDir: data.path });
    expect(checks.filter((check) => !check.ok)).toEqual([]);
    expect(checks.map(({ name }) => name)).toContain('gVisor in force');
    expect(checks.find(({ name }) => name === 'trace socket')?.found).toContain('gVisor reports to');
  });

  it('has the doctor say that a server holds the trace socket', async () => {
    const sink = await createTraceSink({ socketPath: traceSocketPath(TEST_RUNTIME), logger: createLogger('silent') });
    try {
      const [kernel, socket] = await checkSandbox(connectEngine(), TEST_RUNTIME);
      expect(kernel).toMatchObject({ name: 'gVisor in force', ok: true });
      expect(socket?.found).toContain('a running server receives the reports');
    } finally {
      await sink.close();
    }
  });

  it('has the doctor find a runtime that is not gVisor', async () => {
    const [kernel, socket] = await checkSandbox(connectEngine(), 'runc');
    expect(kernel).toMatchObject({ name: 'gVisor in force', ok: false });
    expect(socket).toMatchObject({ name: 'trace socket', ok: false });
  });

  it('has the doctor’s verdict in its exit code, and how to mend what is missing', async () => {
    await using data = await temporaryFolder();
    const env = { CAISSON_DATA_DIR: data.path };
    const sound = await caisson(['doctor', '--json', '--runtime', TEST_RUNTIME], env);
    expect(JSON.parse(sound.stdout)).toMatchObject({ ok: true });
    expect(sound.code).toBe(0);
    const broken = await caisson(['doctor', '--runtime', 'caisson-never'], env);
    expect(broken.code).toBe(1);
    expect(broken.stdout).toContain('mend: caisson setup --runtime caisson-never');
  });

  it('has the Claude agent, which starts inside a sandbox with the image’s Node', async () => {
    const host = await openSandboxHost();
    try {
      const source = join(agentsDir(), 'claude');
      const sandbox = await host.create({ readOnlyMounts: [{ source, target: '/opt/agents/claude' }] });
      const script = '/opt/agents/claude/node_modules/@agentclientprotocol/claude-agent-acp/dist/index.js';
      const process = await sandbox.exec(['node', script]);
      process.stderr.resume();
      process.stdin.write(
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":1,"clientCapabilities":{}}}\n',
      );
      let answer = '';
      for await (const chunk of process.stdout) {
        answer += String(chunk);
        if (answer.includes('\n')) break;
      }
      expect(JSON.parse(answer.split('\n')[0] ?? '')).toMatchObject({ id: 1, result: { protocolVersion: 1 } });
      expect((await run(sandbox, ['ls', '/opt/agents'])).stdout).toBe('claude\n');
    } finally {
      await host[Symbol.asyncDispose]();
    }
  });

  it('knows its agent packs, and finds a stale one', async () => {
    expect(knownAgentPacks()).toEqual(['claude', 'codex', 'gemini', 'opencode']);
    await using folder = await temporaryFolder();
    expect(await agentPacksStep(['claude'], folder.path).check()).toMatchObject({ done: false });
    expect(await agentPacksStep(['claude']).check()).toMatchObject({ done: true });
  });

  it('has an image that says which recipe it was made from', async () => {
    const labels = await connectEngine().imageLabels(TEST_IMAGE);
    expect(labels?.['caisson.recipe']).toMatch(/^[0-9a-f]{16}$/);
    expect(await connectEngine().imageLabels('caisson/no-such-image')).toBeUndefined();
  });
});
