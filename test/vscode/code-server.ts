import { spawn, type ChildProcess } from 'node:child_process';
import { openSync, closeSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from '../../server/base/command.ts';
import { withDeadline } from '../../server/base/lifecycle.ts';
import { findTools } from './tools/install.ts';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 10_000;

/** Everything that would move, ask or call out by itself is off; what is tested is the extension. */
const QUIET_SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.enableExperiments': false,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'workbench.reduceMotion': 'on',
  // Themes follow what the browser says of its machine, which a test can change at once.
  'window.autoDetectColorScheme': true,
  'workbench.tips.enabled': false,
  'telemetry.telemetryLevel': 'off',
  'chat.disableAIFeatures': true,
  'extensions.ignoreRecommendations': true,
  'git.openRepositoryInParentFolders': 'never',
  'git.autofetch': false,
  'window.confirmBeforeClose': 'never',
  // A canvas has no text that a test could read.
  'terminal.integrated.gpuAcceleration': 'off',
};

const QUIET_FLAGS = [
  '--auth=none',
  '--ignore-last-opened',
  '--disable-telemetry',
  '--disable-update-check',
  '--disable-getting-started-override',
  // Seconds. A window that was closed has no business with its extension host any more.
  '--reconnection-grace-time=2',
];

export interface CodeServer extends AsyncDisposable {
  readonly url: string;
  /** Everything that VS Code keeps: settings, state, secrets, logs. */
  readonly dataDir: string;
  readonly extensionsDir: string;
  readonly home: string;
  /** Where everything that it starts puts its temporary files. */
  readonly temporary: string;
  /** A folder for one browser's profile. */
  readonly profile: string;
  /** What code-server has printed. */
  log(): Promise<string>;
}

export interface CodeServerOptions {
  readonly vsix: string;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Needed for tests that run in the extension host. Notifications are then never shown, so others go without. */
  readonly smokeTestDriver?: boolean;
  /** Whether VS Code asks if a folder's authors are trusted; until somebody says so, windows are restricted. */
  readonly workspaceTrust?: boolean;
  /** More extensions, as packages, for what a bare VS Code lacks. */
  readonly extensions?: readonly string[];
  /** For code-server and the extension hosts that it starts. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A real VS Code workbench, served to a browser, with a home of its own and the packaged extension installed. */
export async function startCodeServer(options: CodeServerOptions): Promise<CodeServer> {
  const root = await mkdtemp(join(tmpdir(), 'csn-vscode-'));
  const at = (...names: string[]) => join(root, ...names);
  try {
    return await start(root, at, options);
  } catch (error) {
    await rm(root, { recursive: true, force: true });
    throw error;
  }
}

async function start(
  root: string,
  at: (...names: string[]) => string,
  {
    vsix,
    settings = {},
    smokeTestDriver = false,
    workspaceTrust = false,
    extensions = [],
    env: more = {},
  }: CodeServerOptions,
): Promise<CodeServer> {
  for (const folder of ['data/User', 'extensions', 'home', 'profile', 'tmp'])
    await mkdir(at(folder), { recursive: true });
  await writeFile(at('config.yaml'), 'auth: none\n');
  await writeFile(at('data/User/settings.json'), JSON.stringify({ ...QUIET_SETTINGS, ...settings }, null, 2));

  const { node, codeServer } = findTools();
  const env = {
    ...more,
    HOME: at('home'),
    TMPDIR: at('tmp'),
    XDG_CONFIG_HOME: at('home/.config'),
    XDG_DATA_HOME: at('home/.local'),
    // No gallery to look for updates in.
    EXTENSIONS_GALLERY: '{}',
  };
  const common = ['--config', at('config.yaml'), '--user-data-dir', at('data'), '--extensions-dir', at('extensions')];
  const install = [vsix, ...extensions].flatMap((file) => ['--install-extension', file]);
  await runCommand([node, codeServer, ...common, ...install], { timeoutMs: START_DEADLINE_MS, env });

  const port = await freePort();
  const log = openSync(at('code-server.log'), 'a');
  const child = spawn(
    node,
    [
      codeServer,
      ...common,
      ...QUIET_FLAGS,
      ...(workspaceTrust ? [] : ['--disable-workspace-trust']),
      '--bind-addr',
      `127.0.0.1:${port}`,
      ...(smokeTestDriver ? ['--vscode-option', 'enable-smoke-test-driver'] : []),
    ],
    // A group of its own, so that its extension hosts end with it.
    { env: { ...process.env, ...env }, stdio: ['ignore', log, log], detached: true },
  );
  closeSync(log);
  const readLog = () => readFile(at('code-server.log'), 'utf8');
  const dispose = async () => {
    await stopGroup(child);
    if (process.env['CAISSON_TEST_KEEP'] === undefined) await rm(root, { recursive: true, force: true });
    else console.log(`Kept ${root}`);
  };
  try {
    await untilHealthy(`http://127.0.0.1:${port}/healthz`, child);
  } catch (error) {
    const printed = await readLog();
    await dispose();
    throw new Error(`code-server did not start: ${printed}`, { cause: error });
  }
  return {
    url: `http://127.0.0.1:${port}`,
    dataDir: at('data'),
    extensionsDir: at('extensions'),
    home: at('home'),
    temporary: at('tmp'),
    profile: at('profile'),
    log: readLog,
    [Symbol.asyncDispose]: dispose,
  };
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

async function untilHealthy(url: string, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_DEADLINE_MS;
  for (;;) {
    const healthy = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      (response) => response.ok,
      // Nobody listens yet.
      () => false,
    );
    if (healthy) return;
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`);
    if (Date.now() > deadline) throw new Error(`${url} did not answer within ${START_DEADLINE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function stopGroup(child: ChildProcess): Promise<void> {
  const { pid } = child;
  if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  process.kill(-pid, 'SIGTERM');
  await withDeadline(gone, STOP_DEADLINE_MS, 'Stopping code-server').catch(() => process.kill(-pid, 'SIGKILL'));
}
