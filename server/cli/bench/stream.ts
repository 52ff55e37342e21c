import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { percentile, round, type Measurement } from './measure.ts';
import { sampleEvent, syntheticRuns } from './synthetic.ts';
import type { BenchWorld } from './world.ts';

const RUNS = 20;
const EVENTS_PER_SECOND = 2000;
const SECONDS = 15;
const WARM_UP_SECONDS = 3;
const TICK_MS = 10;
const MAX_P99_MS = 20;

/**
 * From the call that appends an event to its arrival at a WebSocket client, at 2,000 events/s over 20 runs with a client
 * each. The clients live in a thread of their own, as real ones live elsewhere; both threads share one clock.
 */
export async function measureStream(world: BenchWorld): Promise<Measurement[]> {
  const { log } = world.server.context;
  const runIds = await syntheticRuns(world, RUNS);
  const worker = new Worker(new URL('./stream-clients.js', import.meta.url), {
    workerData: { url: world.server.url, apiKey: world.apiKey, runIds },
  });
  try {
    await once(worker, 'message', { signal: AbortSignal.timeout(30_000) });
    const total = EVENTS_PER_SECOND * (SECONDS + WARM_UP_SECONDS);
    let sent = 0;
    const startedAt = performance.now();
    while (sent < total) {
      const due = Math.min(total, Math.floor(((performance.now() - startedAt) / 1000) * EVENTS_PER_SECOND));
      for (; sent < due; sent++) {
        // The time travels in the event; an append that is refused ends the measurement.
        const at = performance.timeOrigin + performance.now();
        log
          .append(runIds[sent % RUNS] ?? '', [sampleEvent(`${at}`)])
          .catch((error: unknown) => worker.emit('error', error));
      }
      await sleep(TICK_MS, undefined, { signal: world.signal });
    }
    const answer = once(worker, 'message', { signal: AbortSignal.timeout(30_000) });
    worker.postMessage({ expected: total });
    const [{ latencies }] = (await answer) as [{ latencies: number[] }];
    const measured = latencies.slice(EVENTS_PER_SECOND * WARM_UP_SECONDS);
    const p99 = percentile(measured, 99);
    return [
      {
        name: 'event to WebSocket client, p50',
        value: round(percentile(measured, 50)),
        unit: 'ms',
        target: 'for comparison',
        met: true,
      },
      {
        name: 'event to WebSocket client, p99',
        value: round(p99),
        unit: 'ms',
        target: `below ${MAX_P99_MS} ms at ${EVENTS_PER_SECOND} events/s over ${RUNS} runs`,
        met: p99 < MAX_P99_MS,
      },
      {
        name: 'events that did not arrive',
        value: total - latencies.length,
        unit: 'events',
        target: 'none',
        met: latencies.length === total,
      },
    ];
  } finally {
    await worker.terminate();
  }
}
