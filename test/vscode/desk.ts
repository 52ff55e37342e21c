import { Cleanup } from '../../server/base/lifecycle.ts';
import type { Overrides } from '../../server/context.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startCodeServer, type CodeServer, type CodeServerOptions } from './code-server.ts';
import { startCuttable, type Cuttable } from './cuttable.ts';
import { startBrowser, type Browser } from './workbench.ts';

export interface DeskOptions extends CodeServerOptions {
  /** `CAISSON_*` for the server. */
  readonly server?: NodeJS.ProcessEnv;
  readonly overrides?: Overrides;
  /** What was made before the desk; it goes with it, also when the desk cannot be made. */
  readonly cleanup?: Cleanup;
}

/** Where a developer sits: VS Code, and a server with sandboxes behind a network that can fail. */
export interface Desk extends AsyncDisposable {
  readonly caisson: TestServer;
  readonly network: Cuttable;
  readonly vscode: CodeServer;
  readonly browser: Browser;
  /** What is made for the tests of this desk, and goes with it, in the reverse order. */
  readonly cleanup: Cleanup;
}

export async function startDesk({
  server,
  overrides,
  cleanup = new Cleanup(),
  ...options
}: DeskOptions): Promise<Desk> {
  try {
    const caisson = await startTestServer(server, overrides);
    cleanup.add('server', () => caisson.close());
    const network = await startCuttable(() => caisson.url);
    cleanup.add('network', async () => network[Symbol.asyncDispose]());
    const settings = { 'caisson.notifications': 'waiting', ...options.settings };
    const vscode = await startCodeServer({ ...options, settings });
    cleanup.add('code-server', async () => vscode[Symbol.asyncDispose]());
    const browser = await startBrowser(vscode);
    cleanup.add('browser', async () => browser[Symbol.asyncDispose]());
    return { caisson, network, vscode, browser, cleanup, [Symbol.asyncDispose]: () => cleanup.run() };
  } catch (error) {
    await cleanup.run();
    throw error;
  }
}
