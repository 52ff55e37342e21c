import Docker from 'dockerode';
import { mkdir, readdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf } from '../../base/lifecycle.ts';
import type { Logger } from '../../base/logger.ts';
import type { Sandbox, SandboxRuntime, SandboxSpec, SandboxSummary } from '../sandbox.ts';
import { containerName, RUN_LABEL, SERVER_LABEL } from './container-config.ts';
import { createSandbox } from './create.ts';
import { describeRuntime } from './describe.ts';
import { createKernelCheck } from './kernel.ts';
import { releaseSandbox, remainsOf } from './release.ts';

export interface GvisorRuntimeOptions {
  readonly serverId: string;
  /** Disks are kept in its folder `sandboxes`. */
  readonly dataDir: string;
  /** The name of the engine's runtime entry. */
  readonly runtime: string;
  /** Accepts sandboxes that do not run on gVisor. */
  readonly allowUnsandboxed: boolean;
  readonly logger: Logger;
  readonly clock: Clock;
  /** The engine's socket; default is the local engine, or the one that DOCKER_HOST names. */
  readonly engineSocket?: string;
}

/** Sandboxes as containers of the local engine, on gVisor. Creating one needs a listener on the runtime's trace socket. */
export function createGvisorRuntime(options: GvisorRuntimeOptions): SandboxRuntime {
  const { serverId, runtime, logger } = options;
  const docker = options.engineSocket === undefined ? new Docker() : new Docker({ socketPath: options.engineSocket });
  const isGvisor = createKernelCheck();
  const folder = join(options.dataDir, 'sandboxes');
  /** Run ids that this process works on: never to be reaped. */
  const alive = new Set<string>();

  const sandboxes = async (): Promise<SandboxSummary[]> => {
    const filters = { label: [`${SERVER_LABEL}=${serverId}`] };
    const found = await docker.listContainers({ all: true, filters });
    return found.map((container) => ({
      id: container.Id,
      runId: container.Labels[RUN_LABEL] ?? '',
      running: container.State === 'running' || container.State === 'paused',
    }));
  };

  return {
    describe: () => describeRuntime(docker, runtime),

    async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
      signal.throwIfAborted();
      if (alive.has(spec.runId)) throw new CaissonError('conflict', `Run ${spec.runId} has a sandbox already.`);
      alive.add(spec.runId);
      try {
        const sandbox = await createSandbox(
          { ...options, docker, isGvisor, folder: join(folder, spec.runId), onGone: () => alive.delete(spec.runId) },
          spec,
          signal,
        );
        logger.info({ runId: spec.runId, sandboxId: sandbox.id, coldStartMs: sandbox.coldStartMs }, 'sandbox ready');
        return sandbox;
      } catch (error) {
        alive.delete(spec.runId);
        throw error;
      }
    },

    list: sandboxes,

    async reap() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const root = await realpath(folder);
      const containers = new Map((await sandboxes()).map(({ runId, id }) => [runId, id]));
      const runIds = new Set([...containers.keys(), ...(await readdir(root))].filter((runId) => !alive.has(runId)));
      const reaped: string[] = [];
      for (const runId of runIds) {
        const remains = remainsOf(containers.get(runId) ?? containerName(runId), join(root, runId), undefined);
        const absence = await releaseSandbox(docker, remains).catch((error: unknown) => messageOf(error));
        const complete = typeof absence !== 'string' && Object.values(absence).every(Boolean);
        if (complete) reaped.push(runId);
        else logger.error({ runId, absence }, 'what an earlier server left of a sandbox could not be removed');
      }
      return reaped;
    },
  };
}
