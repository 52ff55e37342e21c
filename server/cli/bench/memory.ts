import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { round, type Measurement } from './measure.ts';
import type { BenchWorld } from './world.ts';

const RUNS = 50;
const MAX_MIB = 2;

/** What this process holds for each run that goes on, over 50 of them: the whole resident set, after collecting garbage. */
export async function measureMemory({ client, say, signal }: BenchWorld): Promise<Measurement[]> {
  await client.environments.create({
    name: 'tiny',
    resources: { cpus: 0.5, memoryMiB: 128, diskMiB: 64, maxProcesses: 32 },
  });
  const one = await client.runs.create({ prompt: 'true', environment: 'tiny' });
  for await (const event of client.follow(one.id, { signal })) void event;
  const before = await residentMiB();
  const runIds: string[] = [];
  for (let started = 0; started < RUNS; started++) {
    const { id } = await client.runs.create({ prompt: 'sleep 3600', environment: 'tiny' });
    runIds.push(id);
    for await (const event of client.follow(id, { signal })) if (event.type === 'agent.started') break;
    if (started % 10 === 9) say(`  ${started + 1} runs are going on`);
  }
  const after = await residentMiB();
  await Promise.all(runIds.map((id) => client.runs.cancel(id)));
  for (const id of runIds) for await (const event of client.follow(id, { signal })) void event;
  const perRun = (after - before) / RUNS;
  return [
    {
      name: 'server memory for each running run',
      value: round(perRun),
      unit: 'MiB',
      target: `below ${MAX_MIB} MiB over ${RUNS} runs`,
      met: perRun < MAX_MIB,
    },
  ];
}

async function residentMiB(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  for (let round = 0; round < 3; round++) {
    collect();
    await sleep(200);
  }
  return process.memoryUsage().rss / 1024 / 1024;
}
