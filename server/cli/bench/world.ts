import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, type Client } from '../../../shared/client/client.ts';
import { openWsSocket } from '../../../shared/client/ws-socket.ts';
import type { Cleanup } from '../../base/lifecycle.ts';
import { buildConfig } from '../../config/config.ts';
import { readEnv } from '../../config/env.ts';
import { loadSecrets } from '../../config/secrets.ts';
import { startServer, type RunningServer } from '../../main.ts';

/** The runtime entry of benchmarks: a server that is already running on this machine keeps its own. */
export const RUNTIME = 'caisson-bench';

/** What every measurement may use: a whole server on a temporary data directory, and its owner's client. */
export interface BenchWorld {
  readonly server: RunningServer;
  readonly client: Client;
  readonly apiKey: string;
  readonly dataDir: string;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
}

export async function openBenchWorld(
  settings: NodeJS.ProcessEnv,
  options: { cleanup: Cleanup; say: (line: string) => void; signal: AbortSignal },
): Promise<BenchWorld> {
  const { cleanup, say, signal } = options;
  const folder = await mkdtemp(join(tmpdir(), 'caisson-bench-'));
  cleanup.add('temporary folder', () => rm(folder, { recursive: true, force: true }));
  const dataDir = join(folder, 'data');
  const env = readEnv({
    CAISSON_DATA_DIR: dataDir,
    CAISSON_PORT: '0',
    CAISSON_RUNTIME: RUNTIME,
    CAISSON_LOG_LEVEL: 'error',
    CAISSON_MAX_CONCURRENT_RUNS: '100',
    CAISSON_RATE_LIMIT_RUNS: '100000',
    CAISSON_RATE_LIMIT_REQUESTS: '1000000',
    ...settings,
  });
  const config = buildConfig(env);
  const server = await startServer(config, await loadSecrets(env, config));
  cleanup.add('server', () => server.close());
  const apiKey = server.firstKey?.apiKey;
  if (apiKey === undefined) throw new Error('a new data directory gave no API key');
  const client = createClient({ baseUrl: server.url, apiKey, openSocket: openWsSocket });
  cleanup.add('client', () => client.close());
  return { server, client, apiKey, dataDir, say, signal };
}
