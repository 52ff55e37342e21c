import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { describeSandboxed } from '../support/sandboxed.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { eventData } from '../../shared/protocol/events.ts';
import { traceSocketPath } from '../../server/sandbox/gvisor/trace-socket.ts';
import { createTraceSink, type TraceSink } from '../../server/witness/trace-sink.ts';

const run = promisify(execFile);
const RUNTIME = process.env['CAISSON_TEST_RUNTIME'] ?? 'caisson-test';
const CANARY = 'canary-7d1f0c';
const socketPath = traceSocketPath(RUNTIME);
const logger = pino({ level: 'silent' });

let sink: TraceSink;
const containers: string[] = [];

beforeEach(async () => {
  sink = await createTraceSink({ socketPath, logger });
});
afterEach(async () => {
  for (const id of containers.splice(0)) await run('docker', ['rm', '-f', id]);
  await sink.close();
});

async function create(script: string): Promise<string> {
  const args = ['create', '--runtime', RUNTIME, '--network', 'none', '--user', '10001', '-e', `TOKEN=${CANARY}`];
  const { stdout } = await run('docker', [...args, 'caisson/sandbox', '/bin/bash', '-c', script]);
  const id = stdout.trim();
  containers.push(id);
  return id;
}

interface Seen {
  readonly events: NewEvent[];
  readonly lost: string[];
  readonly stop: () => Promise<void>;
}

function watch(id: string): Seen {
  const events: NewEvent[] = [];
  const lost: string[] = [];
  const stop = sink.watch(id, {
    onEvents: (batch) => void events.push(...batch),
    onLost: (reason) => void lost.push(reason),
  });
  return { events, lost, stop };
}

/** Runs a script in a sandbox to its end, and returns all that the kernel reported of it. */
async function account(
  script: string,
): Promise<Seen & { readonly find: (type: NewEvent['type']) => Record<string, unknown>[] }> {
  const id = await create(script);
  const seen = watch(id);
  await run('docker', ['start', '-a', id]).catch(() => undefined); // Its exit code is not what is looked at here.
  await seen.stop();
  for (const event of seen.events) eventData[event.type].parse(event.data);
  const find = (type: NewEvent['type']) =>
    seen.events.filter((event) => event.type === type).map((event) => event.data as Record<string, unknown>);
  return { ...seen, find };
}

describeSandboxed("gVisor's kernel as a witness", () => {
  it('reports programs with arguments, folder, user, parent and end', async () => {
    const { find } = await account('cd /tmp; /bin/bash -c "/bin/ls -d /; exit 7"; /bin/bash -c "kill -9 \\$\\$"; true');
    const [init, shell, ls, killed] = find('process.exec');
    expect(init).toMatchObject({ path: '/bin/bash', uid: 10001 });
    expect(shell).toMatchObject({
      argv: ['/bin/bash', '-c', '/bin/ls -d /; exit 7'],
      cwd: '/tmp',
      uid: 10001,
      parentPid: init!['pid'],
    });
    expect(ls).toMatchObject({ argv: ['/bin/ls', '-d', '/'], parentPid: shell!['pid'] });
    const exits = find('process.exit');
    expect(exits).toContainEqual({ pid: ls!['pid'], exitCode: 0 });
    expect(exits).toContainEqual({ pid: shell!['pid'], exitCode: 7 });
    expect(exits).toContainEqual({ pid: killed!['pid'], signal: 9 });
  });

  it('reports connections, and raises an alert for one past the gateway', async () => {
    const { find } = await account('exec 3<>/dev/tcp/127.0.0.1/3128; exec 3<>/dev/tcp/192.0.2.1/443');
    expect(find('process.connect')).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ process: 'bash', family: 'inet', address: '127.0.0.1', port: 3128 }),
        expect.objectContaining({ process: 'bash', family: 'inet', address: '192.0.2.1', port: 443 }),
      ]),
    );
    expect(find('alert.raised').map((data) => data['rule'])).toEqual(['witness.direct-connect']);
  });

  it('sees the whole life of a sandbox that only just lived', async () => {
    const { find } = await account('/bin/true; /bin/true; /bin/false; true');
    expect(find('process.exec')).toHaveLength(4);
    expect(find('process.exit').map((data) => data['exitCode'])).toEqual([0, 0, 1]);
  });

  it('never carries a value of the environment', async () => {
    const { events } = await account('env SECOND=$TOKEN /bin/bash -c "exec /bin/env >/dev/null"');
    expect(events.length).toBeGreaterThan(2);
    // `env` was given the value as an argument, which is a claim of the script's and no environment.
    const withoutArguments = events.map((event) =>
      event.type === 'process.exec' ? { ...event.data, argv: [] } : event.data,
    );
    expect(JSON.stringify(withoutArguments)).not.toContain(CANARY);
    const { events: plain } = await account('/bin/bash -c "/bin/env >/dev/null"');
    expect(plain.length).toBeGreaterThan(2);
    expect(JSON.stringify(plain)).not.toContain(CANARY);
  });

  it.each([
    ['its arguments', String.raw`/bin/true $'\xff'`],
    ['its environment', String.raw`X=$'\xff' /bin/true`],
    ['its name', String.raw`cp /bin/true /tmp/$'\xff'; /tmp/$'\xff'`],
    ['its folder', String.raw`mkdir /tmp/$'\xff'; cd /tmp/$'\xff'; /bin/true`],
  ])('is not blind to a program that hides behind bytes in %s', async (_, script) => {
    const { find } = await account(`${script}; true`);
    expect(find('process.exec')).toContainEqual(expect.objectContaining({ path: '(unreadable)', uid: 10001 }));
    expect(find('alert.raised').map((data) => data['rule'])).toEqual(['witness.unreadable-exec']);
  });

  it('is not blind to a process that gives itself a name of bytes', async () => {
    const hide = 'import ctypes, socket; ctypes.CDLL(None).prctl(15, b"\\xff")';
    const connect = 'socket.socket().connect_ex(("192.0.2.9", 80))';
    const { find } = await account(`python3 -c '${hide}; ${connect}'; true`);
    expect(find('process.connect')).toContainEqual(expect.objectContaining({ address: '192.0.2.9', port: 80 }));
  });

  it('keeps up with a burst of processes', async () => {
    const { find } = await account('for i in $(seq 300); do /bin/true; done');
    expect(find('process.exec')).toHaveLength(302);
    expect(find('alert.raised')).toEqual([]);
  });

  it('notices that a sandbox ended, and that it was itself stopped', async () => {
    const [first, second] = [await create('sleep 60'), await create('sleep 60')];
    const [a, b] = [watch(first), watch(second)];
    await run('docker', ['start', first, second]);
    await vi.waitFor(() => expect([a.events.length, b.events.length].every((count) => count > 0)).toBe(true), 10_000);
    await run('docker', ['kill', first]);
    await vi.waitFor(() => expect(a.lost).toHaveLength(1), 10_000);
    expect(b.lost).toEqual([]);
    await sink.close();
    expect(b.lost).toEqual([expect.stringContaining('stopped')]);
  });

  it('fails closed: without a listener no sandbox starts', async () => {
    const id = await create('true');
    await sink.close();
    await expect(run('docker', ['start', id])).rejects.toThrow();
    await rm(socketPath, { force: true });
    sink = await createTraceSink({ socketPath, logger });
    const { find } = await account('/bin/true; true');
    expect(find('process.exec').length).toBeGreaterThan(0);
  });
});
