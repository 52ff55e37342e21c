import { afterAll, beforeAll, expect, it } from 'vitest';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { buffer } from 'node:stream/consumers';
import type { Sandbox } from '../../server/sandbox/sandbox.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { openSandboxHost, run, sh, type SandboxHost } from '../support/sandbox-host.ts';

describeSandboxed('a process in a sandbox', () => {
  let host: SandboxHost;
  let sandbox: Sandbox;
  beforeAll(async () => {
    host = await openSandboxHost();
    sandbox = await host.create();
  });
  afterAll(async () => {
    await sandbox?.destroy();
    await host?.[Symbol.asyncDispose]();
  });

  it('keeps stdout and stderr apart and tells its exit code', async () => {
    const result = await sh(sandbox, 'echo out; echo err >&2; exit 7');
    expect(result).toEqual({ exitCode: 7, stdout: 'out\n', stderr: 'err\n' });
  });

  it('starts in /workspace, or where it is told', async () => {
    expect((await run(sandbox, ['pwd'])).stdout).toBe('/workspace\n');
    expect((await run(sandbox, ['pwd'], { cwd: '/tmp' })).stdout).toBe('/tmp\n');
  });

  it.each([
    ['a program that does not exist', ['no-such-program'], {}],
    ['a folder that does not exist', ['true'], { cwd: '/no/such/folder' }],
  ])('ends with a shell’s code for %s', async (_, argv, options) => {
    const result = await run(sandbox, argv, options);
    expect([126, 127]).toContain(result.exitCode);
    expect(result.stdout + result.stderr).toContain('no such file or directory');
  });

  it('delivers one line of a megabyte whole', async () => {
    const { stdout } = await sh(sandbox, "head -c 1000000 /dev/zero | tr '\\0' a; echo");
    expect(stdout.length).toBe(1_000_001);
    expect(stdout.endsWith('a\n')).toBe(true);
  });

  it('delivers binary output unchanged', async () => {
    const process = await sandbox.exec(['sh', '-c', 'head -c 3000000 /dev/urandom | tee /tmp/noise']);
    process.stdin.end();
    process.stderr.resume();
    const bytes = await buffer(process.stdout);
    expect(bytes.length).toBe(3_000_000);
    const inside = await run(sandbox, ['sha256sum', '/tmp/noise']);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(inside.stdout.slice(0, 64));
  });

  it('takes binary input up to its end', async () => {
    const bytes = Buffer.from(Array.from({ length: 2_000_000 }, (_, i) => (i * 31 + (i >> 8)) % 256));
    const process = await sandbox.exec(['sh', '-c', 'cat > /tmp/in; sha256sum < /tmp/in']);
    process.stderr.resume();
    process.stdin.end(bytes);
    const seen = (await buffer(process.stdout)).toString('utf8').slice(0, 64);
    expect(seen).toBe(createHash('sha256').update(bytes).digest('hex'));
    expect(await process.exit).toBe(0);
  });

  it('talks on after its input was closed', async () => {
    const process = await sandbox.exec(['sh', '-c', 'cat; echo closed; sleep 1; echo later']);
    process.stderr.resume();
    process.stdin.end('question\n');
    expect((await buffer(process.stdout)).toString('utf8')).toBe('question\nclosed\nlater\n');
  });

  it('holds a flood back instead of filling memory', async () => {
    const process = await sandbox.exec(['sh', '-c', 'yes flood & echo $! > /tmp/flood; wait']);
    process.stdin.end();
    process.stderr.resume();
    await sleep(1_500);
    const held = process.stdout.readableLength;
    expect(held).toBeGreaterThan(0);
    expect(held).toBeLessThan(4 * 1024 ** 2);
    process.stdout.resume();
    await sandbox.killAll();
    await process.exit;
  });

  it('has a terminal when asked for one, and hears of its size', async () => {
    const tty = { columns: 101, rows: 33 };
    const process = await sandbox.exec(['bash', '-c', 'stty size; read -r _; stty size'], { tty });
    let seen = '';
    process.stdout.on('data', (chunk: Buffer) => (seen += chunk.toString('utf8')));
    process.stderr.resume();
    await expect.poll(() => seen).toContain('33 101');
    await process.resize(90, 20);
    process.stdin.write('\n');
    await expect.poll(() => seen).toContain('20 90');
    process.stdin.end();
    expect(await process.exit).toBe(0);
  });

  it('is let go when its caller aborts, and goes on until it is killed', async () => {
    const controller = new AbortController();
    const process = await sandbox.exec(['sh', '-c', 'echo up; exec sleep 1234'], { signal: controller.signal });
    process.stderr.resume();
    await once(process.stdout, 'data');
    const exit = process.exit.catch((error: unknown) => error);
    controller.abort(new Error('no longer wanted'));
    expect(await exit).toMatchObject({ message: 'no longer wanted' });
    expect((await sh(sandbox, 'pgrep -fx "sleep 1234"')).exitCode).toBe(0);
    await sandbox.killAll();
    expect((await sh(sandbox, 'pgrep -fx "sleep 1234"')).exitCode).not.toBe(0);
  });

  it('ends although something that it left in the background holds its output', async () => {
    const result = await sh(sandbox, 'sleep 1000 & echo started');
    expect(result).toMatchObject({ exitCode: 0, stdout: 'started\n' });
    await sandbox.killAll();
  });

  it('has Node, git, Python and the usual tools at hand', async () => {
    const tools = 'node git python3 curl jq rg make patch ps npm npx ssh';
    const result = await sh(
      sandbox,
      `for tool in ${tools}; do command -v $tool >/dev/null || echo "no $tool"; done; node -v`,
    );
    expect(result.stdout).toMatch(/^v24\./);
  });

  it('runs git in /workspace whoever owns it', async () => {
    const result = await sh(
      sandbox,
      'git init -q repo && cd repo && git -c user.name=a -c user.email=a@b commit -q --allow-empty -m x && git log --oneline | wc -l',
    );
    expect(result).toMatchObject({ exitCode: 0, stdout: '1\n' });
  });
});
