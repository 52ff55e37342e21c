import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { median, round, timed, type Measurement } from './measure.ts';
import { RUNTIME, type BenchWorld } from './world.ts';

const ROUNDS = 10;
const MAX_RATIO = 1.25;

/**
 * From `POST /v1/runs` to the first thing that happened inside the sandbox, against a bare `docker run` of the same image
 * on the same runtime. They take turns, so that both meet the same weather.
 */
export async function measureColdStart({ client, say, signal }: BenchWorld): Promise<Measurement[]> {
  const { image } = await client.environments.get('default');
  const bareRun = () =>
    promisify(execFile)('docker', ['run', '--rm', '--network=none', `--runtime=${RUNTIME}`, image, 'true'], { signal });
  await bareRun();
  const bare: number[] = [];
  const ours: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    bare.push(await timed(bareRun));
    let runId = '';
    ours.push(
      await timed(async () => {
        ({ id: runId } = await client.runs.create({ prompt: 'true' }));
        for await (const event of client.follow(runId, { signal })) if (event.actor === 'kernel') return;
      }),
    );
    for await (const event of client.follow(runId, { signal })) void event;
    say(`  round ${round + 1}: bare ${Math.round(bare.at(-1) ?? 0)} ms, run ${Math.round(ours.at(-1) ?? 0)} ms`);
  }
  const ratio = median(ours) / median(bare);
  return [
    {
      name: 'POST to the first event from inside',
      value: Math.round(median(ours)),
      unit: 'ms',
      bare: { what: 'bare docker run', value: Math.round(median(bare)) },
      ratio: round(ratio),
      target: `at most ${MAX_RATIO} × the bare run`,
      met: ratio <= MAX_RATIO,
    },
  ];
}
