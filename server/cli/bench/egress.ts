import { chmod } from 'node:fs/promises';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import type { Cleanup } from '../../base/lifecycle.ts';
import { median, round, type Measurement } from './measure.ts';
import { sendBytes } from './upstream.ts';
import type { BenchWorld } from './world.ts';

const HOST = 'upstream.bench.internal';
const ROUNDS = 5;
const MIN_RATIO = 0.8;

let upstreamPort = 0;

/** Starts the host that sandboxes download from, on this machine, and lets it through by an operator's exception. */
export async function startUpstream(cleanup: Cleanup): Promise<{ exception: string }> {
  const worker = new Worker(new URL('./upstream.js', import.meta.url));
  cleanup.add('upstream', async () => void (await worker.terminate()));
  const [message] = (await once(worker, 'message', { signal: AbortSignal.timeout(10_000) })) as [unknown];
  upstreamPort = z.object({ port: z.number() }).parse(message).port;
  return { exception: `${HOST}:${upstreamPort}=127.0.0.1/32` };
}

/**
 * A download inside a sandbox through forwarder and gateway, against the same forwarder straight to a bare server on a
 * Unix socket that sends the same bytes. Both happen in one sandbox, in turns.
 */
export async function measureEgress({ client, dataDir, signal }: BenchWorld): Promise<Measurement[]> {
  await client.environments.create({
    name: 'bench',
    network: { mode: 'allowlist', groups: [], patterns: [`${HOST}:${upstreamPort}`], allowNonTls: true },
  });
  const { id } = await client.runs.create({ prompt: script(), environment: 'bench', interactive: true });
  const bare = createServer((_request, response) => sendBytes(response));
  try {
    for await (const event of client.follow(id, { signal })) {
      if (event.type === 'sandbox.ready') await listen(bare, join(dataDir, 'egress', id, 'bare.sock'));
      if (event.type === 'agent.turn_ended') break;
    }
    const text = [];
    for await (const event of client.runs.allEvents(id, { types: ['agent.message'] }))
      if (event.type === 'agent.message') text.push(event.data.text);
    await client.runs.cancel(id);
    for await (const event of client.follow(id, { signal })) void event;
    return compare(text.join(''));
  } finally {
    bare.closeAllConnections();
    bare.close();
  }
}

/** In the one folder that the sandbox shares with its server, open to the sandbox's users. */
async function listen(server: Server, path: string): Promise<void> {
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await chmod(path, 0o666);
}

/** Prints lines of `kind bytes-per-second`. */
function script(): string {
  return `until [ -S /run/caisson/bare.sock ]; do sleep 0.1; done
socat -b 262144 TCP-LISTEN:3129,bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/run/caisson/bare.sock &
sleep 1
get() { curl --silent --output /dev/null --write-out "$1 %{speed_download}\\n" "\${@:2}"; }
for i in $(seq ${ROUNDS}); do
  get bare --noproxy '*' http://127.0.0.1:3129/
  get http --proxy http://127.0.0.1:3128 http://${HOST}:${upstreamPort}/
  get tunnel --proxytunnel --proxy http://127.0.0.1:3128 http://${HOST}:${upstreamPort}/
done
kill %1`;
}

function compare(output: string): Measurement[] {
  const speeds = (kind: string) =>
    [...output.matchAll(new RegExp(`^${kind} (\\d+)`, 'gm'))].map((match) => Number(match[1]) / 1e6);
  const bare = median(speeds('bare'));
  return ['http', 'tunnel'].map((kind) => {
    const ours = median(speeds(kind));
    return {
      name: `download from inside, ${kind === 'http' ? 'plain HTTP' : 'CONNECT tunnel'}`,
      value: Math.round(ours),
      unit: 'MB/s',
      bare: { what: 'bare Unix socket', value: Math.round(bare) },
      ratio: round(ours / bare),
      target: `at least ${MIN_RATIO} × the bare socket`,
      met: ours / bare >= MIN_RATIO,
    };
  });
}
