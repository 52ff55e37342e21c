import { copyFile, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Engine } from '../sandbox/gvisor/engine.ts';
import { traceSocketPath } from '../sandbox/gvisor/trace-socket.ts';
import { traceConfig } from '../witness/trace-config.ts';
import { mergeRuntimes, type RuntimeEntry } from './daemon-json.ts';
import { DAEMON_JSON, reloadEngine } from './engine.ts';
import { installedGvisor } from './gvisor.ts';
import { isRoot } from './host.ts';
import { SetupError, type Step } from './step.ts';

const RELOAD_DEADLINE_MS = 20_000;

export const podInitPath = (runtime: string): string => `/etc/caisson/${runtime}.pod-init.json`;

/**
 * What the engine runs for a runtime name. `--network=none`: the sandbox has a loopback interface and nothing else.
 * `--host-uds=open`: it may connect to the Unix sockets of its bind mounts, which is the only way out
 * (https://gvisor.dev/docs/user_guide/filesystem/).
 */
export function runtimeEntry(runtime: string, runsc: string): RuntimeEntry {
  return {
    path: runsc,
    runtimeArgs: ['--network=none', '--host-uds=open', `--pod-init-config=${podInitPath(runtime)}`],
  };
}

/** Registers runtimes with the engine. Each belongs to one server, since the entry fixes the trace socket. */
export function runtimeStep(engine: Engine, runtimes: readonly string[]): Step {
  const staleConfigs = async (): Promise<string[]> => {
    const stale: string[] = [];
    for (const runtime of runtimes) {
      if ((await readOptional(podInitPath(runtime))) !== podInitText(runtime)) stale.push(runtime);
    }
    return stale;
  };
  const newDaemonJson = async (runsc: string): Promise<string | undefined> =>
    mergeRuntimes(
      await readOptional(DAEMON_JSON),
      Object.fromEntries(runtimes.map((runtime) => [runtime, runtimeEntry(runtime, runsc)])),
      DAEMON_JSON,
    );
  const unloaded = async (): Promise<string[]> => {
    const known = (await engine.answers()) ? (await engine.info()).runtimes : [];
    return runtimes.filter((runtime) => !known.includes(runtime));
  };

  return {
    name: 'runtime',
    async check() {
      const runsc = (await installedGvisor())?.path ?? '/usr/bin/runsc';
      const stale = await staleConfigs();
      const changed = (await newDaemonJson(runsc)) !== undefined;
      const missing = await unloaded();
      if (stale.length === 0 && !changed && missing.length === 0) {
        return { done: true, note: `the engine knows ${runtimes.join(', ')}` };
      }
      const will = [
        ...stale.map((runtime) => `write ${podInitPath(runtime)} (what gVisor reports to ${traceSocketPath(runtime)})`),
        ...(changed
          ? [`add the runtime ${runtimes.join(', ')} to ${DAEMON_JSON}, keeping what is there, with a backup`]
          : []),
        ...(changed || missing.length > 0 ? ['reload the engine'] : []),
      ];
      return isRoot() ? { done: false, will } : { done: false, will, byHand: ['sudo caisson setup'] };
    },
    async apply(progress) {
      const runsc = await installedGvisor();
      if (!runsc) throw new SetupError('runsc is not installed.');
      for (const runtime of runtimes) {
        await writeAtomically(podInitPath(runtime), podInitText(runtime));
      }
      const text = await newDaemonJson(runsc.path);
      if (text !== undefined) {
        if ((await readOptional(DAEMON_JSON)) !== undefined) {
          await copyFile(DAEMON_JSON, `${DAEMON_JSON}.before-caisson-${new Date().toISOString().replaceAll(':', '')}`);
        }
        await writeAtomically(DAEMON_JSON, text);
      }
      // gVisor reads its own configuration for each new sandbox; only the engine's needs a reload.
      if (text === undefined && (await unloaded()).length === 0) return;
      progress('reloading the engine');
      await reloadEngine();
      for (const deadline = Date.now() + RELOAD_DEADLINE_MS; Date.now() < deadline; await sleep(100)) {
        if ((await unloaded()).length === 0) return;
      }
      throw new SetupError(
        `The engine did not take the runtime ${(await unloaded()).join(', ')} from ${DAEMON_JSON}: restart it, then run setup again.`,
      );
    },
  };
}

export const podInitText = (runtime: string): string =>
  `${JSON.stringify(traceConfig(traceSocketPath(runtime)), null, 2)}\n`;

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Rename is atomic within a file system: the engine never reads half a file. The old file's mode is kept. */
async function writeAtomically(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const mode = await stat(path).then(
    (found) => found.mode & 0o777,
    () => 0o644,
  );
  const temporary = `${path}.caisson-${process.pid}`;
  await writeFile(temporary, text, { mode });
  await rename(temporary, path);
}
