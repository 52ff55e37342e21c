import type Docker from 'dockerode';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Absence } from '../sandbox.ts';
import { diskIn, diskLeftovers, removeDisk, type Disk } from './disk.ts';
import { statusCode } from './engine.ts';

/** Long enough for an engine that is being restarted to come back. */
const REMOVE_DEADLINE_MS = 45_000;
const KERNEL_DEADLINE_MS = 10_000;

/** Everything that a sandbox consists of on the host. */
export interface Remains {
  /** Its id or its name. */
  readonly container: string;
  readonly disk: Disk;
  /** Undefined where an earlier server made it and nobody knows. */
  readonly egressSocket: string | undefined;
}

/**
 * Releases what there is of a sandbox and then looks for each part. One that cannot be released does not keep the
 * others from being released; it shows in the result.
 */
export async function releaseSandbox(docker: Docker, remains: Remains): Promise<Absence> {
  const container = await removeContainer(docker, remains.container);
  if (remains.egressSocket !== undefined) await rm(remains.egressSocket, { force: true });
  // The mount is busy as long as the container runs, so the disk comes second.
  await removeDisk(remains.disk).catch(() => undefined); // What could not be removed is found by the look that follows.
  const left = await diskLeftovers(remains.disk);
  return {
    container,
    mount: !left.mounted && !existsSync(remains.disk.folder),
    loopDevice: left.loopDevices.length === 0,
    socket: remains.egressSocket === undefined || !existsSync(remains.egressSocket),
  };
}

export function remainsOf(container: string, sandboxFolder: string, egressFolder: string | undefined): Remains {
  return {
    container,
    disk: diskIn(sandboxFolder),
    egressSocket: egressFolder === undefined ? undefined : join(egressFolder, 'egress.sock'),
  };
}

/** True when the engine says that there is no such container. Asked again while it is busy, or not there itself. */
async function removeContainer(docker: Docker, name: string): Promise<boolean> {
  const container = docker.getContainer(name);
  for (const deadline = Date.now() + REMOVE_DEADLINE_MS; Date.now() < deadline; await sleep(150)) {
    try {
      // When it cannot be killed so, or does not end in time, the engine's own way is what is left.
      await endKernel(container).catch((error: unknown) => {
        if (statusCode(error) === 404) throw error;
      });
      await container.remove({ force: true, v: true, abortSignal: AbortSignal.timeout(20_000) });
      return true;
    } catch (error) {
      if (statusCode(error) === 404) return true;
      // 409: the removal is under way, or it is just being started. Otherwise the engine does not answer.
    }
  }
  return false;
}

/**
 * Ends a running sandbox by killing gVisor's kernel on the host, before the engine is asked to remove the rest.
 *
 * The engine's own way deadlocks: containerd's shim holds the container's lock until `runsc kill` has ended, meanwhile
 * the sandbox dies, its exit waits for that lock, and the exits of its hundreds of helper processes fill the queue (of
 * 32) behind which the exit of `runsc kill` waits, one second each. Measured with containerd 1.6: about one removal in
 * thirty took minutes after a burst of processes, and none with this.
 */
async function endKernel(container: Docker.Container): Promise<void> {
  const { Id, State } = await container.inspect();
  // A frozen kernel cannot even be killed.
  if (State.Paused) await container.unpause();
  if (!State.Running || !(await belongsTo(State.Pid, Id))) return;
  process.kill(State.Pid, 'SIGKILL');
  await container.wait({ condition: 'not-running', abortSignal: AbortSignal.timeout(KERNEL_DEADLINE_MS) });
}

/** The engine may run elsewhere (DOCKER_HOST), where its process ids mean nothing here. */
async function belongsTo(pid: number, containerId: string): Promise<boolean> {
  if (pid <= 1) return false;
  return (await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '')).includes(containerId);
}
