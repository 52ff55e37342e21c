import { connectEngine } from '../../sandbox/gvisor/engine.ts';
import type { Check } from './check.ts';
import { checkEngine, checkGvisorInstalled, checkImage, checkRuntimeEntry } from './engine.ts';
import { checkClock, checkDataDir, checkDiskSpace, checkNode, checkSandboxDisk } from './host.ts';
import { checkSandbox } from './sandbox.ts';

export interface DoctorOptions {
  readonly runtime: string;
  readonly dataDir: string;
}

/** Looks at everything that a server on this machine needs, and changes nothing that lasts. Takes about two seconds. */
export async function examine({ runtime, dataDir }: DoctorOptions): Promise<readonly Check[]> {
  const engine = connectEngine();
  const { check: docker, info } = await checkEngine(engine);
  const now = new Date();
  return [
    checkNode(),
    docker,
    await checkGvisorInstalled(),
    await checkRuntimeEntry(info, runtime),
    await checkImage(engine, info),
    ...(info ? await checkSandbox(engine, runtime) : []),
    await checkDataDir(dataDir),
    await checkDiskSpace(dataDir),
    await checkSandboxDisk(dataDir),
    checkClock(now, info?.time),
  ];
}
