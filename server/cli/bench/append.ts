import { join } from 'node:path';
import { openDatabase } from '../../store/embedded/database.ts';
import { round, type Measurement } from './measure.ts';
import { sampleEvent, syntheticRuns } from './synthetic.ts';
import type { BenchWorld } from './world.ts';

const RUNS = 20;
const EVENTS = 40_000;
const PER_CALL = 10;
/** About what one sample event takes in the store. */
const ROW_BYTES = 700;

/**
 * Durable events per second from 20 runs at once, against rows of the same size put into the same encrypted database
 * without hashes, seals or indexes, in transactions of 100.
 */
export async function measureAppend(world: BenchWorld): Promise<Measurement[]> {
  const { log } = world.server.context;
  const runIds = await syntheticRuns(world, RUNS);
  const batch = Array.from({ length: PER_CALL }, (_unused, index) => sampleEvent(String(index)));
  await log.append(runIds[0] ?? '', batch);

  const startedAt = performance.now();
  await Promise.all(
    runIds.map(async (runId) => {
      for (let written = 0; written < EVENTS / RUNS; written += PER_CALL) await log.append(runId, batch);
    }),
  );
  const ours = EVENTS / ((performance.now() - startedAt) / 1000);
  const bare = bareInserts(join(world.dataDir, 'bare.db'));
  const ratio = ours / bare;
  return [
    {
      name: 'events appended, durable and chained',
      value: Math.round(ours),
      unit: 'events/s',
      bare: { what: 'bare inserts', value: Math.round(bare) },
      ratio: round(ratio),
      target: 'for comparison',
      met: true,
    },
  ];
}

function bareInserts(file: string): number {
  const database = openDatabase(file, 'bench');
  try {
    database.execute('CREATE TABLE bare (id INTEGER PRIMARY KEY, doc TEXT)');
    const insert = database.prepare('INSERT INTO bare (doc) VALUES (?)');
    const row = 'x'.repeat(ROW_BYTES);
    const startedAt = performance.now();
    for (let written = 0; written < EVENTS; written += 100) {
      database.transaction(() => {
        for (let index = 0; index < 100; index++) insert.run(row);
      });
    }
    return EVENTS / ((performance.now() - startedAt) / 1000);
  } finally {
    database.close();
  }
}
