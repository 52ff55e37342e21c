import { afterAll, beforeAll, expect, it } from 'vitest';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from '../../server/sandbox/sandbox.ts';
import { describeSandboxed } from '../support/sandboxed.ts';
import { openSandboxHost, run, sh, type SandboxHost } from '../support/sandbox-host.ts';

describeSandboxed('a sandbox is sealed', () => {
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
  const text = async (script: string): Promise<string> => (await sh(sandbox, script)).stdout.trim();

  it('runs on gVisor, by its own account', async () => {
    expect(sandbox.kernel).toMatch(/^gVisor \(Linux version /);
    expect(await text('dmesg')).toContain('Starting gVisor');
  });

  it('gives the agent an unprivileged user without any capability', async () => {
    expect(await text('id')).toBe('uid=10001(agent) gid=10001(agent) groups=10001(agent)');
    const status = await text('grep ^Cap /proc/self/status');
    const sets = status.split('\n').map((line) => line.split(':')[1]?.trim());
    expect(sets.length).toBeGreaterThanOrEqual(4);
    expect(new Set(sets)).toEqual(new Set(['0000000000000000']));
  });

  it('has no program that changes the user', async () => {
    expect(await text('find / -xdev -perm /6000 -type f 2>/dev/null')).toBe('');
  });

  it.each(['/', '/etc/passwd', '/usr/local/bin/x', '/run/caisson/x', '/opt/agents/x'])(
    'cannot write to %s',
    async (path) => {
      const target = path.endsWith('/') ? `${path}x` : path;
      expect((await sh(sandbox, `echo x >> ${target}`)).exitCode).not.toBe(0);
    },
  );

  it.each(['/workspace', '/home/agent', '/tmp'])('can write to and execute from %s', async (folder) => {
    const result = await sh(
      sandbox,
      `printf '#!/bin/sh\\necho ran' > ${folder}/x && chmod +x ${folder}/x && ${folder}/x`,
    );
    expect(result).toMatchObject({ exitCode: 0, stdout: 'ran\n' });
  });

  it('has the loopback interface and no other', async () => {
    const interfaces = await text("sed -n 's/^ *\\([a-z0-9]*\\):.*/\\1/p' /proc/net/dev");
    expect(interfaces).toBe('lo');
  });

  it('cannot resolve names, and does not learn the host’s resolver or name', async () => {
    expect((await sh(sandbox, 'getent hosts example.com')).exitCode).not.toBe(0);
    expect(await text('cat /etc/resolv.conf')).toBe('nameserver 127.0.0.1');
    expect(await text('hostname; cat /etc/hosts')).not.toContain(hostname());
  });

  it.each(['10.0.0.1', '169.254.169.254', '93.184.216.34', '172.17.0.1'])('cannot reach %s', async (address) => {
    const result = await sh(sandbox, `timeout 5 bash -c 'exec 3<>/dev/tcp/${address}/80'`);
    expect(result.exitCode).not.toBe(0);
    expect(result.stderr).toMatch(/unreachable|refused|no route/i);
  });

  it('reaches the egress socket through the relay’s port, and directly', async () => {
    expect(await text('echo out | socat -t 5 - TCP:127.0.0.1:3128')).toBe('out');
    expect(await text('echo out | socat -t 5 - UNIX-CONNECT:/run/caisson/egress.sock')).toBe('out');
  });

  it('keeps an answer that comes long after the request was half-closed', async () => {
    host.onConnection = (socket) => {
      socket.resume().on('end', () => setTimeout(() => socket.end('late'), 1_500));
    };
    try {
      expect(await text('echo question | socat -t 10 - TCP:127.0.0.1:3128')).toBe('late');
    } finally {
      host.onConnection = (socket) => void socket.pipe(socket);
    }
  });

  it('forwards many connections at once', async () => {
    const script = 'for i in $(seq 40); do (echo $i | socat -t 20 - TCP:127.0.0.1:3128) & done; wait';
    const numbers = (await text(script))
      .split('\n')
      .map(Number)
      .sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
  });

  it('does not let the agent stop or trace the relay', async () => {
    const relays = await text("ps -o pid= -u relay | tr -d ' '");
    expect(relays.split('\n').length).toBeGreaterThanOrEqual(2);
    for (const pid of relays.split('\n')) {
      expect((await sh(sandbox, `kill -9 ${pid}`)).stderr).toContain('not permitted');
      expect((await run(sandbox, ['python3', '-c', ATTACH, pid])).stdout).toBe('-1 Operation not permitted\n');
    }
    expect(await text('echo still | socat -t 5 - TCP:127.0.0.1:3128')).toBe('still');
  });

  it('goes on forwarding when one forwarder is killed', async () => {
    const held = await sandbox.exec(['socat', '-', 'TCP:127.0.0.1:3128']);
    held.stdout.resume();
    held.stderr.resume();
    const killed = await sandbox.exec(['bash', '-c', 'sleep 0.5; pgrep -u relay -c socat']);
    killed.stdin.end();
    killed.stderr.resume();
    let count = '';
    for await (const chunk of killed.stdout) count += String(chunk);
    expect(Number(count)).toBeGreaterThanOrEqual(2);
    await sandbox.killAll(); // Ends the agent's side of the held connection, and with it that forwarder.
    expect(await text('echo again | socat -t 5 - TCP:127.0.0.1:3128')).toBe('again');
  });

  it('shows nothing of the host but what was given', async () => {
    const secret = join(host.dataDir, 'secret.txt');
    await writeFile(secret, 'host only');
    expect(existsSync(secret)).toBe(true);
    expect(await text(`cat ${secret} 2>&1; ls ${host.dataDir} 2>&1`)).not.toMatch(/host only|egress/);
    expect(await text('ls /run/caisson')).toBe('egress.sock');
    expect(await text('ls /dev')).not.toMatch(/loop|sd[a-z]|vd[a-z]|kmsg|mem/);
  });

  it('points every tool at the relay, and holds no secret', async () => {
    const env = await text('env');
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'http_proxy', 'https_proxy', 'npm_config_proxy', 'PIP_PROXY']) {
      expect(env).toContain(`${name}=http://127.0.0.1:3128`);
    }
    expect(env).toContain('CAISSON=1');
    expect(env.split('\n').map((line) => line.split('=')[0])).not.toContainEqual(
      expect.stringMatching(/KEY|TOKEN|SECRET|PASSWORD/i),
    );
  });

  it('lets a value of an exec’s environment be seen by that process only', async () => {
    const seen = await run(sandbox, ['sh', '-c', 'printf %s "$CANARY"'], { env: { CANARY: 'canary-7f3a' } });
    expect(seen.stdout).toBe('canary-7f3a');
    expect(await text('env')).not.toContain('canary-7f3a');
  });
});

/** PTRACE_ATTACH is 16 (ptrace(2)). */
const ATTACH = `
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
print(libc.ptrace(16, int(sys.argv[1]), 0, 0), os.strerror(ctypes.get_errno()))
`;
