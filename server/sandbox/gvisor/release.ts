import type Docker from 'dockerode';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Absence } from '../sandbox.ts';
import { diskIn, diskLeftovers, removeDisk, type Disk } from './disk.ts';
import { statusCode } from './engine.ts';

/** Long enough for an engine that is being restarted to come back. */
const REMOVE_DEADLINE_MS = 45_000;

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
  // A frozen kernel cannot take the order to end, and the engine would wait ten seconds for it. Refused if not paused.
  await container.unpause().catch(() => undefined);
  for (const deadline = Date.now() + REMOVE_DEADLINE_MS; Date.now() < deadline; await sleep(150)) {
    try {
      await container.remove({ force: true, v: true, abortSignal: AbortSignal.timeout(20_000) });
      return true;
    } catch (error) {
      if (statusCode(error) === 404) return true;
      // 409: the removal is under way, or it is just being started. Otherwise the engine does not answer.
    }
  }
  return false;
}
