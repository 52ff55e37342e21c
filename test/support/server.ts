import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { createClient, type Client } from '../../shared/client/client.ts';
import type { ClientEvent } from '../../shared/client/event.ts';
import { openWsSocket } from '../../shared/client/ws-socket.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import type { EventOf, EventType } from '../../shared/protocol/events.ts';
import { isFinal } from '../../shared/run/state.ts';
import { buildConfig } from '../../server/config/config.ts';
import { readEnv } from '../../server/config/env.ts';
import { loadSecrets } from '../../server/config/secrets.ts';
import type { Overrides } from '../../server/context.ts';
import { startServer, type RunningServer } from '../../server/main.ts';
import { snapshot } from '../../server/cli/git/snapshot.ts';
import { TEST_RUNTIME } from './sandboxed.ts';

const exec = promisify(execFile);

export interface TestServer {
  readonly dataDir: string;
  readonly apiKey: string;
  readonly client: Client;
  readonly url: string;
  readonly server: RunningServer;
  /** Stops this process's server and starts another on the same data directory. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** A whole real server on a temporary data directory: real store, real sandboxes, real sockets. */
export async function startTestServer(
  settings: NodeJS.ProcessEnv = {},
  overrides: Overrides = {},
): Promise<TestServer> {
  const folder = await mkdtemp(join(tmpdir(), 'caisson-test-'));
  const dataDir = settings['CAISSON_DATA_DIR'] ?? join(folder, 'data');
  const start = async (): Promise<RunningServer> => {
    const env = readEnv({
      CAISSON_DATA_DIR: dataDir,
      CAISSON_PORT: '0',
      CAISSON_RUNTIME: TEST_RUNTIME,
      CAISSON_LOG_LEVEL: 'error',
      CAISSON_RATE_LIMIT_RUNS: '100000',
      CAISSON_RATE_LIMIT_REQUESTS: '1000000',
      ...settings,
    });
    const config = buildConfig(env);
    return startServer(config, await loadSecrets(env, config), overrides);
  };
  let server: RunningServer;
  try {
    server = await start();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const apiKey = server.firstKey?.apiKey ?? '';
  let client = connect(server.url, apiKey);
  return {
    dataDir,
    apiKey,
    get client() {
      return client;
    },
    get url() {
      return server.url;
    },
    get server() {
      return server;
    },
    async restart() {
      client.close();
      await server.close();
      server = await start();
      client = connect(server.url, apiKey);
    },
    async close() {
      client.close();
      await server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export function connect(baseUrl: string, apiKey: string): Client {
  return createClient({ baseUrl, apiKey, openSocket: openWsSocket });
}

/** Follows a run to its end and gives everything that its log says. */
export async function finished(client: Client, runId: string): Promise<{ run: Run; events: ClientEvent[] }> {
  const events: ClientEvent[] = [];
  for await (const event of client.follow(runId, { verify: true })) events.push(event);
  return { run: await client.runs.get(runId), events };
}

/** Waits until the run's log holds an event that `matches`. */
export async function untilEvent(
  client: Client,
  runId: string,
  matches: (event: ClientEvent) => boolean,
): Promise<ClientEvent> {
  for await (const event of client.follow(runId)) if (matches(event)) return event;
  throw new Error(
    `run ${runId} ended without the event that was waited for: ${JSON.stringify((await client.runs.get(runId)).failure)}`,
  );
}

export async function untilEnded(client: Client, runId: string): Promise<Run> {
  for await (const event of client.follow(runId)) void event;
  const run = await client.runs.get(runId);
  if (!isFinal(run.state)) throw new Error(`run ${runId} is still ${run.state}`);
  return run;
}

export function ofType<T extends EventType>(events: readonly ClientEvent[], type: T): EventOf<T>[] {
  return events.filter((event): event is EventOf<T> => event.type === type);
}

/** Everything that the agent said, joined. */
export function said(events: readonly ClientEvent[]): string {
  return ofType(events, 'agent.message')
    .map((event) => event.data.text)
    .join('');
}

/** A git repository with these files and one commit; `path` is removed with `dispose`. */
export async function repository(
  files: Record<string, string>,
): Promise<{ path: string; git: (...args: string[]) => Promise<string>; dispose: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'caisson-repo-'));
  const git = async (...args: string[]) =>
    (
      await exec(
        'git',
        ['-c', 'user.name=T', '-c', 'user.email=t@example.invalid', '-c', 'init.defaultBranch=main', ...args],
        { cwd: path },
      )
    ).stdout;
  await git('init', '--quiet');
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), content);
  }
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'First');
  return { path, git, dispose: () => rm(path, { recursive: true, force: true }) };
}

export async function bundleOf(path: string): Promise<Uint8Array> {
  await using made = await snapshot(path);
  return readFile(made.path);
}

/** What a run may not leave behind: containers of this server, mounts and loop devices of its data directory, sockets. */
export async function leftovers({ dataDir, server }: TestServer): Promise<string[]> {
  const containers = await exec('docker', ['ps', '-aq', '--filter', `label=caisson.server=${server.context.serverId}`]);
  return [...containers.stdout.split('\n').filter(Boolean), ...(await hostLeftovers(dataDir))];
}

/** The part of it that can be said of a server in another process. */
export async function hostLeftovers(dataDir: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').filter((line) => line.includes(dataDir));
  const loops = (await exec('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).stdout
    .split('\n')
    .filter((line) => line.includes(dataDir));
  const files = await Promise.all(['egress', 'sandboxes'].map((name) => readdir(join(dataDir, name)).catch(() => [])));
  return [...mounts, ...loops, ...files.flat()];
}
