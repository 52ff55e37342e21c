import type Docker from 'dockerode';
import { join } from 'node:path';
import { sandboxEnvironment } from '../environment.ts';
import { AGENT_UID, RELAY_UID, type SandboxSpec } from '../sandbox.ts';
import { RELAY_COMMAND } from './relay.ts';

export const RUN_LABEL = 'caisson.run';
export const SERVER_LABEL = 'caisson.server';

/**
 * The engine's limit counts the host threads of gVisor's kernel, not the sandbox's processes; hitting it kills the
 * sandbox (measured: 50 does, under a burst of 100 processes; 2048 carried 300). So it is only the backstop, and
 * RLIMIT_NPROC, which gVisor enforces per user, is what bounds the agent.
 */
const HOST_THREADS = 4096;
/** Raising it beyond the engine's own hard limit needs CAP_SYS_RESOURCE on the host, which not every host gives. */
const OPEN_FILES = 16_384;
/** In memory, so they count against the sandbox's memory as they fill. */
const TMP_BYTES = 1024 ** 3;
const HOME_BYTES = 1024 ** 3;

export interface ContainerSettings {
  readonly serverId: string;
  readonly runtime: string;
  /** The mounted disk that becomes `/workspace`. */
  readonly workspace: string;
}

/** A name of its own finds the container again even when the answer to its creation never arrived. */
export const containerName = (runId: string): string => `caisson-${runId}`;

/** The sealed container of one run. */
export function containerConfig(spec: SandboxSpec, settings: ContainerSettings): Docker.ContainerCreateOptions {
  const tmpfs = (size: number, rest: string): string => `rw,nosuid,nodev,exec,size=${size},${rest}`;
  return {
    name: containerName(spec.runId),
    Image: spec.image,
    Entrypoint: [],
    Cmd: [...RELAY_COMMAND],
    User: `${RELAY_UID}:${RELAY_UID}`,
    WorkingDir: '/',
    Hostname: 'sandbox',
    Env: Object.entries(sandboxEnvironment()).map(([name, value]) => `${name}=${value}`),
    Labels: { [RUN_LABEL]: spec.runId, [SERVER_LABEL]: settings.serverId },
    AttachStdout: true,
    AttachStderr: true,
    HostConfig: {
      Runtime: settings.runtime,
      NetworkMode: 'none',
      // The host's resolver names its internal network; there is no DNS inside anyway.
      Dns: ['127.0.0.1'],
      DnsSearch: ['.'],
      ReadonlyRootfs: true,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      IpcMode: 'private',
      Memory: spec.memoryBytes,
      MemorySwap: spec.memoryBytes,
      NanoCpus: Math.round(spec.cpus * 1e9),
      PidsLimit: HOST_THREADS,
      Ulimits: [
        { Name: 'nproc', Soft: spec.maxProcesses, Hard: spec.maxProcesses },
        { Name: 'nofile', Soft: OPEN_FILES, Hard: OPEN_FILES },
        { Name: 'core', Soft: 0, Hard: 0 },
      ],
      Tmpfs: {
        '/tmp': tmpfs(TMP_BYTES, 'mode=1777'),
        '/home/agent': tmpfs(HOME_BYTES, `mode=0700,uid=${AGENT_UID},gid=${AGENT_UID}`),
      },
      Mounts: [
        // Connecting to a socket is no write to the folder that it is in (checked inside gVisor).
        bind(spec.egressFolder, '/run/caisson', true),
        bind(settings.workspace, '/workspace', false),
        ...spec.readOnlyMounts.map(({ source, target }) => bind(source, target, true)),
      ],
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      AutoRemove: false,
    },
  };
}

function bind(source: string, target: string, readOnly: boolean): Docker.MountSettings {
  return { Type: 'bind', Source: join(source), Target: target, ReadOnly: readOnly };
}
