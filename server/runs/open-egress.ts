import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EgressGateway } from '../egress/gateway.ts';
import { messageOf } from '../base/lifecycle.ts';
import { toRunEnd } from './run-end.ts';
import type { RunScope } from './run-scope.ts';

/** The one folder that a run's sandbox shares with the server; it holds the egress socket and nothing else. */
export function egressFolder(dataDir: string, runId: string): string {
  return join(dataDir, 'egress', runId);
}

/**
 * The socket and the gate behind it, before there is anyone who could use them. Whatever ends the run, a log that cannot
 * be written above all, closes the gate in the same moment: what comes after it is tidying up.
 */
export async function openEgress({ deps, plan, control, log, resources }: RunScope): Promise<EgressGateway> {
  const folder = egressFolder(deps.dataDir, plan.runId);
  // The parent is private to the server; the folder itself appears in the sandbox, whose users must be able to enter it.
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  await mkdir(folder, { mode: 0o755 });
  resources.cleanup.add('egress folder', () => rm(folder, { recursive: true, force: true }));
  const gateway = await deps.createEgressGateway({
    socketPath: join(folder, 'egress.sock'),
    network: plan.environment.network,
    record: (event) => log.emit(event),
    onFailClosed: (error) => control.end(toRunEnd(error)),
  });
  resources.cleanup.add('egress gateway', () => gateway.close());
  const shut = () => {
    gateway
      .close()
      .catch((error: unknown) =>
        deps.logger.error({ runId: plan.runId, error: messageOf(error) }, 'the egress gateway did not close'),
      );
  };
  if (control.signal.aborted) shut();
  else control.signal.addEventListener('abort', shut, { once: true });
  return gateway;
}
