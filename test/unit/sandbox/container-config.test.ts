import { describe, expect, it } from 'vitest';
import { containerConfig } from '../../../server/sandbox/gvisor/container-config.ts';
import { createKernelCheck } from '../../../server/sandbox/gvisor/kernel.ts';
import { readRelayReport } from '../../../server/sandbox/gvisor/relay.ts';

const config = containerConfig(
  {
    runId: 'run_1',
    image: 'caisson/sandbox',
    cpus: 1.5,
    memoryBytes: 512,
    diskBytes: 1,
    maxProcesses: 77,
    egressFolder: '/data/egress/run_1',
    readOnlyMounts: [{ source: '/agents/claude', target: '/opt/agents/claude' }],
    onIdentified: () => undefined,
  },
  { serverId: 'srv_1', runtime: 'caisson', workspace: '/data/sandboxes/run_1/workspace' },
);

describe('a sandbox’s container', () => {
  it('is sealed', () => {
    expect(config.HostConfig).toMatchObject({
      Runtime: 'caisson',
      NetworkMode: 'none',
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      LogConfig: { Type: 'none' },
      RestartPolicy: { Name: 'no' },
    });
    expect(config.HostConfig).not.toHaveProperty('CapAdd');
    expect(config.HostConfig).not.toHaveProperty('Privileged');
    expect(config.HostConfig).not.toHaveProperty('Devices');
    expect(config.HostConfig).not.toHaveProperty('Binds');
  });

  it('has no swap beyond its memory, and its cores as given', () => {
    expect(config.HostConfig).toMatchObject({ Memory: 512, MemorySwap: 512, NanoCpus: 1.5e9 });
    expect(config.HostConfig?.Ulimits).toContainEqual({ Name: 'nproc', Soft: 77, Hard: 77 });
  });

  it('can write to its workspace and to no other folder of the host', () => {
    const writable = config.HostConfig?.Mounts?.filter((mount) => !mount.ReadOnly).map(({ Target }) => Target);
    expect(writable).toEqual(['/workspace']);
  });

  it('is labelled with its run and its server', () => {
    expect(config.Labels).toEqual({ 'caisson.run': 'run_1', 'caisson.server': 'srv_1' });
  });
});

describe('what PID 1 says', () => {
  const ready = '2026/01/01 00:00:00 socat[2] N listening on AF=2 127.0.0.1:3128\n';
  it.each([
    ['', undefined, false],
    ['Linux vers', undefined, false],
    ['Linux version 4.4.0\n', 'Linux version 4.4.0', false],
    [`Linux version 4.4.0\n${ready}`, 'Linux version 4.4.0', true],
    ['Linux version 4.4.0\nsocat: E bind: Address already in use\n', 'Linux version 4.4.0', false],
  ])('%j', (output, kernel, listening) => {
    expect(readRelayReport(output)).toEqual({ kernel, listening });
  });
});

describe('the kernel check', () => {
  const gvisor = () => Promise.resolve('[    0.000000] Starting gVisor...\n');
  const linux = () => Promise.resolve('dmesg: read kernel buffer failed: Operation not permitted');

  it('believes the kernel log, once per version', async () => {
    const isGvisor = createKernelCheck('/dev/null');
    expect(await isGvisor('Linux version 4.4.0', gvisor)).toBe(true);
    expect(await isGvisor('Linux version 4.4.0', () => Promise.reject(new Error('asked again')))).toBe(true);
  });

  it('does not remember a kernel that is not gVisor’s', async () => {
    const isGvisor = createKernelCheck('/dev/null');
    expect(await isGvisor('Linux version 6.1.0', linux)).toBe(false);
    expect(await isGvisor('Linux version 6.1.0', linux)).toBe(false);
  });

  it('never takes the host’s own kernel for gVisor, whatever its log says', async () => {
    const { readFile } = await import('node:fs/promises');
    const host = await readFile('/proc/version', 'utf8');
    expect(await createKernelCheck()(host.trim(), gvisor)).toBe(false);
  });
});
