import { parentPort, workerData } from 'node:worker_threads';
import { z } from 'zod';
import { createClient } from '../../../shared/client/client.ts';
import { openWsSocket } from '../../../shared/client/ws-socket.ts';

/** The thread of the clients: one connection for each run, and for each event the time that it took to get here. */
const { url, apiKey, runIds } = z
  .object({ url: z.string(), apiKey: z.string(), runIds: z.array(z.string()) })
  .parse(workerData);
const latencies: number[] = [];
let expected = Infinity;

const clients = runIds.map(() => createClient({ baseUrl: url, apiKey, openSocket: openWsSocket }));
let connected = 0;
const report = () => {
  if (latencies.length >= expected) parentPort?.postMessage({ latencies });
};

async function receive(client: (typeof clients)[number], runId: string): Promise<void> {
  const onStatus = (status: { readonly phase?: string }) => {
    if (status.phase === 'open' && ++connected === runIds.length) parentPort?.postMessage({ ready: true });
  };
  for await (const event of client.follow(runId, { untilFinal: false, onStatus })) {
    const now = performance.timeOrigin + performance.now();
    if (event.type === 'agent.message') latencies.push(now - Number.parseFloat(event.data.text));
    report();
  }
}

parentPort?.on('message', (message: { expected: number }) => {
  expected = message.expected;
  report();
  // What has not arrived by now is reported as missing.
  setTimeout(() => parentPort?.postMessage({ latencies }), 10_000);
});
await Promise.all(clients.map((client, index) => receive(client, runIds[index] ?? '')));
