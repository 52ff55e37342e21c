import { messageOf } from '../../base/lifecycle.ts';
import { createLogger } from '../../base/logger.ts';
import type { Engine } from '../../sandbox/gvisor/engine.ts';
import { saysGvisor } from '../../sandbox/gvisor/kernel.ts';
import { traceSocketPath } from '../../sandbox/gvisor/trace-socket.ts';
import { IMAGE_TAG } from '../../sandbox/image/recipe.ts';
import { isListening } from '../../witness/probe.ts';
import { createTraceSink } from '../../witness/trace-sink.ts';
import { bad, good, type Check } from './check.ts';

const PROBE_DEADLINE_MS = 30_000;

/**
 * Starts one container on the runtime, and asks both sides: the container which kernel it runs on, and the trace socket
 * whether gVisor reported to it. Where a server holds the socket, the reports go there and that is said.
 */
export async function checkSandbox(engine: Engine, runtime: string): Promise<Check[]> {
  const socketPath = traceSocketPath(runtime);
  const mend = `caisson setup --runtime ${runtime}`;
  try {
    if (await isListening(socketPath)) {
      return [
        await checkKernel(engine, runtime),
        good('trace socket', `a running server receives the reports at ${socketPath}`),
      ];
    }
    const sink = await createTraceSink({ socketPath, logger: createLogger('silent') });
    try {
      const kernel = await checkKernel(engine, runtime);
      const { unwatched, malformed } = sink.stats();
      if (unwatched > 0 && malformed === 0) return [kernel, good('trace socket', `gVisor reports to ${socketPath}`)];
      return [kernel, bad('trace socket', `gVisor did not report to ${socketPath}`, mend)];
    } finally {
      await sink.close();
    }
  } catch (error) {
    return [
      bad('trace socket', `${socketPath}: ${messageOf(error)}`, 'run as root, or as the user that runs the server'),
    ];
  }
}

async function checkKernel(engine: Engine, runtime: string): Promise<Check> {
  const name = 'gVisor in force';
  try {
    const argv = ['sh', '-c', 'cat /proc/version; dmesg'];
    const { output } = await engine.runOnce({ image: IMAGE_TAG, runtime, argv, timeoutMs: PROBE_DEADLINE_MS });
    const version = output.split('\n')[0] ?? '';
    if (saysGvisor(output)) return good(name, `a container on «${runtime}» says: ${version}, Starting gVisor...`);
    return bad(name, `a container on «${runtime}» says: ${version}`, `caisson setup --runtime ${runtime}`);
  } catch (error) {
    return bad(
      name,
      `a container on «${runtime}» could not be run: ${messageOf(error).trim()}`,
      `caisson setup --runtime ${runtime}`,
    );
  }
}
