import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, inject, test } from 'vitest';
import { SKIP_GVISOR } from '../support/sandboxed.ts';
import { startTestServer } from '../support/server.ts';
import { startCodeServer } from './code-server.ts';
import type { SuiteResults } from './suite/results.ts';
import { startBrowser } from './workbench.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What has no picture: tests that run beside the extension, in VS Code's own process for extensions. */
describe.skipIf(SKIP_GVISOR)('in the extension host', () => {
  test('the suite passes, all of it', async () => {
    const suite = join(root, 'dist/test-vscode/suite.cjs');
    await build({
      entryPoints: [join(root, 'test/vscode/suite/index.ts')],
      outfile: suite,
      bundle: true,
      format: 'cjs',
      platform: 'node',
      target: 'node20',
      // Mocha loads parts of itself by name; from dist/ it is found in node_modules.
      external: ['vscode', 'mocha'],
      logLevel: 'warning',
    });
    const folder = await mkdtemp(join(tmpdir(), 'csn-suite-'));
    const output = join(folder, 'results.json');
    const caisson = await startTestServer();
    try {
      await using server = await startCodeServer({
        vsix: inject('vsix'),
        smokeTestDriver: true,
        env: { CAISSON_SUITE_RESULTS: output, CAISSON_SUITE_SERVER: caisson.url, CAISSON_SUITE_KEY: caisson.apiKey },
      });
      const [installed] = (await readdir(server.extensionsDir)).filter((name) => name.startsWith('caisson.'));
      const remote = (path: string) => `vscode-remote://${new URL(server.url).host}${path}`;
      await using browser = await startBrowser(server);
      await browser.open(folder, {
        payload: JSON.stringify([
          ['extensionDevelopmentPath', remote(join(server.extensionsDir, installed!))],
          ['extensionTestsPath', remote(suite)],
        ]),
      });
      await expect.poll(() => existsSync(output), { timeout: 60_000 }).toBe(true);
      await expect.poll(() => readFile(output, 'utf8')).toMatch(/\}$/);
      const results = JSON.parse(await readFile(output, 'utf8')) as SuiteResults;
      console.log(`activate() took ${results.activateMs.toFixed(1)} ms of its own`);
      expect(results.failed).toEqual([]);
      // An empty suite would pass as well.
      expect(results.passed).toHaveLength(8);
    } finally {
      await caisson.close();
      await rm(folder, { recursive: true, force: true });
    }
  });
});
