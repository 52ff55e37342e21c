import type { NewEvent } from '../../../shared/protocol/events.ts';
import { newId } from '../../base/ids.ts';
import type { BenchWorld } from './world.ts';

/** Runs that exist for reading only: what is measured is the log and the stream, not sandboxes. */
export async function syntheticRuns({ server }: BenchWorld, count: number): Promise<string[]> {
  const { apiKeys, index, organizations } = server.context;
  const organization = await organizations.first();
  const key = organization && (await apiKeys.list(organization._id, 1, undefined)).items[0];
  if (!organization || !key) throw new Error('the server has no organization or key');
  const runIds = Array.from({ length: count }, () => newId('run'));
  for (const runId of runIds) {
    await index.add(
      runId,
      { organizationId: organization._id, memberId: 'mem_bench', keyId: key.id },
      new Date().toISOString(),
      { id: 'env_bench', name: 'bench' },
    );
  }
  return runIds;
}

/** An event of a usual size, about 200 bytes of data. */
export function sampleEvent(text: string): NewEvent {
  return {
    type: 'agent.message',
    actor: 'agent',
    data: { text: `${text} ${'lorem ipsum dolor sit amet '.repeat(6)}` },
  };
}
