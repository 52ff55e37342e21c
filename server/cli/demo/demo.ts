import { createClient, type Client } from '../../../shared/client/client.ts';
import type { ClientEvent } from '../../../shared/client/event.ts';
import { openWsSocket } from '../../../shared/client/ws-socket.ts';
import { buildConfig } from '../../config/config.ts';
import { readEnv } from '../../config/env.ts';
import { loadSecrets } from '../../config/secrets.ts';
import { Cleanup } from '../../base/lifecycle.ts';
import { startServer, type RunningServer } from '../../main.ts';
import { setUp } from '../../setup/setup.ts';
import { colorPaint, noPaint, wantsColor, type Paint } from '../output/paint.ts';
import { renderEvent } from '../output/render-event.ts';
import { openDemoWorld, type DemoWorld } from './world.ts';
import { demoScript } from './script.ts';
import { report, type DemoReport } from './report.ts';

/** The runtime entry of demos: a server that is already running on this machine keeps its own. */
const RUNTIME = 'caisson-demo';

/** @returns the exit code: 0 only if the run succeeded and its chain was verified */
export async function demo({ json }: { json: boolean }): Promise<number> {
  const startedAt = performance.now();
  const out = json ? process.stderr : process.stdout;
  const paint = wantsColor(process.env, out.isTTY) ? colorPaint : noPaint;
  const write = (line = '') => void out.write(`${line}\n`);

  write(paint('strong', 'Caisson demo: an agent mends a bug in a sealed gVisor sandbox.'));
  write('\nThis machine:');
  const outcome = await setUp(
    { yes: true, dryRun: false, runtimes: [RUNTIME], agents: [] },
    { write: (text) => void out.write(text), interactive: out.isTTY },
  );
  if (outcome === 'by hand') return 1;

  const cleanup = new Cleanup();
  const interrupted = new AbortController();
  const stop = () => interrupted.abort(new Error('The demo was interrupted.'));
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  try {
    const world = await openDemoWorld(cleanup);
    const server = await startDemoServer(world, cleanup);
    const client = clientOf(server, cleanup);
    write(`\nA server of its own runs at ${server.url}, with its data in a temporary folder.`);
    const result = await oneRun(client, world, { paint, write, signal: interrupted.signal });
    const shown = await report(client, result.runId, { paint, write });
    await cleanup.run();
    const totalMs = Math.round(performance.now() - startedAt);
    write(`\nNothing is left behind. The demo took ${(totalMs / 1000).toFixed(1)} s.`);
    if (json)
      process.stdout.write(`${JSON.stringify({ ...shown, totalMs } satisfies DemoReport & { totalMs: number })}\n`);
    return shown.state === 'succeeded' && shown.chain.verified ? 0 : 1;
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    await cleanup.run();
  }
}

async function startDemoServer(world: DemoWorld, cleanup: Cleanup): Promise<RunningServer> {
  const env = readEnv({
    CAISSON_DATA_DIR: world.dataDir,
    CAISSON_PORT: '0',
    CAISSON_RUNTIME: RUNTIME,
    CAISSON_LOG_LEVEL: 'warn',
    CAISSON_EGRESS_PRIVATE_HOSTS: world.exception,
  });
  const config = buildConfig(env);
  const server = await startServer(config, await loadSecrets(env, config));
  cleanup.add('server', () => server.close());
  return server;
}

function clientOf(server: RunningServer, cleanup: Cleanup): Client {
  if (!server.firstKey) throw new Error('a new data directory gave no API key');
  const client = createClient({ baseUrl: server.url, apiKey: server.firstKey.apiKey, openSocket: openWsSocket });
  cleanup.add('client', () => client.close());
  return client;
}

async function oneRun(
  client: Client,
  world: DemoWorld,
  { paint, write, signal }: { paint: Paint; write: (line?: string) => void; signal: AbortSignal },
): Promise<{ runId: string }> {
  await client.environments.create({
    name: 'demo',
    description: 'The demo’s: one host is allowed, and it is the demo’s own.',
    network: { mode: 'allowlist', groups: [], patterns: [world.allowedHost], allowNonTls: false },
  });
  const upload = await client.uploads.create(await world.bundle());
  const run = await client.runs.create({
    title: 'Mend the failing test',
    prompt: demoScript(world.allowedUrl),
    environment: 'demo',
    agent: 'shell',
    source: { kind: 'upload', uploadId: upload.id },
  });
  write(`\nThe project goes in as a git bundle of ${upload.bytes} bytes. ${run.id}, as it happens:\n`);
  for await (const event of client.follow(run.id, { verify: true, signal })) {
    for (const line of renderEvent(withoutScript(event), { paint, start: run.createdAt })) write(line);
  }
  signal.throwIfAborted();
  return { runId: run.id };
}

/** The demo's prompt is a long script, which the reader sees at work line by line anyway. */
function withoutScript(event: ClientEvent): ClientEvent {
  if (event.type !== 'run.created') return event;
  return { ...event, data: { ...event.data, prompt: '(a script that works as an agent would)' } };
}
