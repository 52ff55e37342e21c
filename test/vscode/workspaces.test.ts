import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createVSIX } from '@vscode/vsce';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { Cleanup } from '../../server/base/lifecycle.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { finished, leftovers, repository, said } from '../support/server.ts';
import { SKIP_GVISOR, temporaryFolder } from '../support/sandboxed.ts';
import { startDesk, type Desk } from './desk.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };
/** Different for each workspace, so that each run is found by its prompt. */
const change = (word: string) => `echo ${word} > made.txt; ls`;

/** Every kind of workspace, in windows of one VS Code that asks whether it may trust. */
describe.skipIf(SKIP_GVISOR)('workspaces of every kind', { sequential: true }, () => {
  let desk: Desk;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  let root: string;
  const at = (...names: string[]) => join(root, ...names);
  const step = journey(() => vscode);

  const started = async (prompt: string): Promise<Run> => {
    const found = async () =>
      (await desk.caisson.client.runs.list({ limit: 5 })).items.find((run) => run.prompt === prompt);
    await expect.poll(found, SOON).toBeDefined();
    return (await found())!;
  };
  const open = async (path?: string): Promise<void> => {
    await vscode?.close();
    vscode = await desk.browser.open(path);
    camera = createCamera(vscode);
    await vscode.showRuns();
  };
  const trust = async (): Promise<void> => {
    await vscode.command('Workspaces: Manage Workspace Trust');
    await vscode.page.locator('.workspace-trust-editor').getByRole('button', { name: 'Trust', exact: true }).click();
    await vscode.page.locator('.workspace-trust-editor', { hasText: 'You trust this' }).waitFor();
    await vscode.command('View: Close Editor');
  };

  beforeAll(async () => {
    const cleanup = new Cleanup();
    const folder = await temporaryFolder();
    cleanup.add('workspaces', async () => folder[Symbol.asyncDispose]());
    root = folder.path;
    const first = await repository({ 'first.txt': '1\n' });
    cleanup.add('first repository', first.dispose);
    const second = await repository({ 'second.txt': '2\n' });
    cleanup.add('second repository', second.dispose);
    await mkdir(at('plain'));
    await writeFile(at('plain', 'plain.txt'), 'no git here\n');
    await writeFile(at('plain', '.gitignore'), 'left-out.txt\n');
    await writeFile(at('plain', 'left-out.txt'), 'ignored\n');
    await writeFile(
      at('two.code-workspace'),
      JSON.stringify({
        folders: [
          { name: 'one', path: first.path },
          { name: 'two', path: second.path },
        ],
      }),
    );
    await writeFile(
      at('virtual.code-workspace'),
      JSON.stringify({ folders: [{ name: 'nowhere', uri: 'memory:/project' }] }),
    );
    const memoryFiles = at('memory-files.vsix');
    await createVSIX({
      cwd: fileURLToPath(new URL('./memory-files/', import.meta.url)),
      packagePath: memoryFiles,
      dependencies: false,
      allowMissingRepository: true,
      skipLicense: true,
    });
    desk = await startDesk({
      vsix: inject('vsix'),
      extensions: [memoryFiles],
      workspaceTrust: true,
      settings: { 'security.workspace.trust.startupPrompt': 'never' },
      cleanup,
    });
    await open(at('plain'));
  });
  afterAll(async () => desk?.[Symbol.asyncDispose]());

  step('one that is not trusted: it says so, uploads nothing, and applies nothing', async () => {
    await vscode.signIn(desk.caisson.url, desk.caisson.apiKey);
    await vscode.page.locator('.sidebar .welcome-view', { hasText: 'This workspace is not trusted' }).waitFor();
    await camera.shoot('30-untrusted');
    await vscode.viewAction('Start Run…').click();
    await vscode.plan(change('untrusted'), { Agent: 'shell' });
    await vscode.planLine('This workspace is not trusted, so nothing is taken from it').waitFor();
    await vscode.planLine('Source').click();
    await vscode.choice('This workspace as it is').click();
    await vscode.choice('This workspace as it is').filter({ hasText: 'not trusted' }).waitFor();
    await camera.shoot('34-source');
    await vscode.choice('The run begins in an empty workspace').click();
    await vscode.start();
    const { id } = await started(change('untrusted'));
    expect(said((await finished(desk.caisson.client, id)).events)).toBe('made.txt\n');
    const panel = await vscode.runPanel(change('untrusted'));
    await panel.select('Changes');
    await panel.row('made.txt').waitFor();
    await panel.frame.locator('.note', { hasText: 'This workspace is not trusted' }).waitFor();
    expect(await panel.button('Apply to Workspace').count()).toBe(0);
    await vscode.command('Caisson: Apply Changes to Workspace');
    await vscode.choice('echo untrusted').click();
    await vscode.notification('This workspace is not trusted').waitFor();
    await vscode.clearNotifications();
    expect(await readdir(at('plain'))).not.toContain('made.txt');
  });

  step(
    'one without git: its files are taken without those that .gitignore names, and get the changes back',
    async () => {
      await trust();
      await vscode.showRuns();
      await vscode.viewAction('Start Run…').click();
      await vscode.plan(change('plain'), { Source: 'This workspace as it is' });
      await vscode.start();
      const { id } = await started(change('plain'));
      expect(said((await finished(desk.caisson.client, id)).events)).toBe('made.txt\nplain.txt\n');
      const panel = await vscode.runPanel(change('plain'));
      await panel.select('Changes');
      await panel.button('Apply to Workspace').click();
      await vscode.confirm('Apply the changes', 'Apply');
      await vscode.notification('1 file was changed.').waitFor();
      expect(await readFile(at('plain', 'made.txt'), 'utf8')).toBe('plain\n');
      expect(await readdir(at('plain'))).not.toContain('.git');
    },
  );

  step('one with several folders: each run is of one of them, and its changes go back there', async () => {
    await open(at('two.code-workspace'));
    await trust();
    await vscode.command('Caisson: Start Run…');
    await vscode.plan(change('two'), { Agent: 'shell' });
    await vscode.planLine('one, as it is now').waitFor();
    await vscode.planLine('Source').click();
    await vscode.choice('This workspace as it is').click();
    await vscode.choice('two').click();
    await vscode.planLine('two, as it is now').waitFor();
    await camera.shoot('31-several-folders');
    await vscode.start();
    const { id } = await started(change('two'));
    expect(said((await finished(desk.caisson.client, id)).events)).toBe('made.txt\nsecond.txt\n');
    const panel = await vscode.runPanel(change('two'));
    await panel.select('Changes');
    await panel.button('Apply to Workspace').click();
    await vscode.confirm('Apply the changes', 'Apply');
    await vscode.notification('1 file was changed.').waitFor();
    const folders = JSON.parse(await readFile(at('two.code-workspace'), 'utf8')) as { folders: { path: string }[] };
    const [one, two] = await Promise.all(folders.folders.map(({ path }) => readdir(path)));
    expect(one).not.toContain('made.txt');
    expect(two).toContain('made.txt');
    const file = await vscode.inExplorer('second.txt');
    await vscode.fromMenu(file, 'Start Caisson Run Here');
    await vscode.plan('ls');
    await vscode.planLine('two, as it is now').waitFor();
    await vscode.page.keyboard.press('Escape');
  });

  step('a virtual one: it says what cannot be done, and runs start without its files', async () => {
    await open(at('virtual.code-workspace'));
    await (await vscode.inExplorer('README.md')).waitFor();
    await vscode.showRuns();
    await camera.shoot('32-virtual');
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('echo virtually', { Agent: 'shell' });
    await vscode.planLine('An empty workspace').waitFor();
    await vscode.planLine('Source').click();
    await vscode.choice('This workspace as it is').filter({ hasText: 'not on a disk' }).waitFor();
    await vscode.choice('The run begins in an empty workspace').click();
    await vscode.start();
    const { id } = await started('echo virtually');
    expect(said((await finished(desk.caisson.client, id)).events)).toBe('virtually\n');
  });

  step('none: a run starts from nothing, and says what its changes would need', async () => {
    await open();
    await vscode.command('Caisson: Start Run…');
    await vscode.plan(change('none'), { Agent: 'shell' });
    await vscode.planLine('An empty workspace').waitFor();
    await vscode.start();
    const panel = await vscode.runPanel(change('none'));
    await panel.shows('Succeeded');
    await panel.select('Changes');
    await panel.row('made.txt').waitFor();
    await panel.frame.locator('.note').waitFor();
    await camera.shoot('33-no-folder');
    await panel.button('Open Diff').click();
    await vscode.page.locator('.multiDiffEditor .view-line', { hasText: 'none' }).waitFor();
  });

  step('leaves nothing behind', async () => {
    expect(await leftovers(desk.caisson)).toEqual([]);
  });
});
