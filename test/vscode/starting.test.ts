import { randomBytes } from 'node:crypto';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { Cleanup } from '../../server/base/lifecycle.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { finished, leftovers, repository, said } from '../support/server.ts';
import { SKIP_GVISOR } from '../support/sandboxed.ts';
import { startDesk, type Desk } from './desk.ts';
import { startGitHost } from './git-host.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };
const CODE = 'def add(a, b):\n    return a - b\n\n\nprint(add(1, 2))\n';

describe.skipIf(SKIP_GVISOR)('ways to start a run', { sequential: true }, () => {
  let desk: Desk;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  let folder: string;
  let git: (...args: string[]) => Promise<string>;
  const step = journey(() => vscode);

  const newest = async (): Promise<Run | undefined> => (await desk.caisson.client.runs.list({ limit: 1 })).items[0];
  const runCount = async (): Promise<number> => (await desk.caisson.client.runs.list({})).items.length;
  /** Folders in which snapshots of workspaces are made. */
  const snapshots = async (): Promise<string[]> =>
    (await readdir(desk.vscode.temporary)).filter((name) => name.startsWith('caisson-source-'));
  /** The run that has this prompt, once it is there. */
  const started = async (prompt: string): Promise<Run> => {
    await expect.poll(async () => (await newest())?.prompt, SOON).toBe(prompt);
    return (await newest())!;
  };

  beforeAll(async () => {
    const cleanup = new Cleanup();
    const pushed = await repository({ 'pushed.txt': 'from the remote\n' });
    cleanup.add('remote', pushed.dispose);
    const host = await startGitHost(pushed.path);
    cleanup.add('git host', async () => host[Symbol.asyncDispose]());
    const repo = await repository({ 'src/add.py': CODE });
    cleanup.add('repository', repo.dispose);
    ({ path: folder, git } = repo);
    desk = await startDesk({
      vsix: inject('vsix'),
      server: { CAISSON_EGRESS_PRIVATE_HOSTS: `git.internal:${host.port}=127.0.0.1/32` },
      cleanup,
    });
    await desk.caisson.client.environments.create({
      name: 'fetching',
      network: { mode: 'allowlist', groups: [], patterns: [`git.internal:${host.port}`], allowNonTls: false },
    });
    // As if somebody had fetched: the branch of the remote is known, and its address is one that a sandbox can use.
    await git('fetch', '--quiet', pushed.path, 'main:refs/remotes/origin/main');
    await git('remote', 'add', 'origin', `http://somebody:token@git.internal:${host.port}/repo.git`);
    vscode = await desk.browser.open(folder);
    camera = createCamera(vscode);
  });
  afterAll(async () => desk?.[Symbol.asyncDispose]());

  step('the walkthrough leads to signing in, and knows when that is done', async () => {
    await vscode.command('Welcome: Open Walkthrough');
    await vscode.choice('Get Started with Caisson').click();
    const walkthrough = vscode.page.locator('.gettingStartedContainer');
    const signIn = walkthrough.locator('.getting-started-step', { hasText: 'Sign in to a server' });
    await signIn.getByRole('button', { name: 'Sign In', exact: true }).click();
    await vscode.answer('Server', desk.network.url);
    await vscode.answer('API Key', desk.caisson.apiKey);
    await signIn.locator('.codicon-getting-started-step-checked').waitFor();
    // The pictures stand beside the steps where there is room for them.
    await vscode.command('View: Toggle Primary Side Bar Visibility');
    await camera.shoot('20-walkthrough');
    await vscode.command('View: Toggle Primary Side Bar Visibility');
    const start = walkthrough.locator('.getting-started-step', { hasText: 'Start a run' });
    await start.click();
    await start.getByRole('button', { name: 'Start Run' }).click();
    await (await vscode.asked('Start Run')).press('Escape');
    await vscode.command('View: Close All Editors');
  });

  step('the title of the view; a longer prompt is written in an editor and sent from there', async () => {
    await vscode.showRuns();
    await vscode.viewAction('Start Run…').click();
    await (await vscode.asked('Start Run')).fill('echo first');
    await vscode.quickInput.locator('.quick-input-titlebar .action-label').first().click();
    await vscode.tab('caisson-prompt.md').waitFor();
    await vscode.page.locator('.view-line', { hasText: 'echo first' }).click();
    await vscode.page.keyboard.press('Control+End');
    await vscode.page.keyboard.type('\necho second');
    await camera.shoot('21-prompt-editor');
    await vscode.page.keyboard.press('Control+Enter');
    await vscode.choose({ Agent: 'shell' });
    await vscode.start();
    const { id, prompt } = await started('echo first\necho second');
    expect(prompt.split('\n')).toHaveLength(2);
    await vscode.tab('caisson-prompt.md').waitFor({ state: 'detached' });
    const { run, events } = await finished(desk.caisson.client, id);
    expect(run.state).toBe('succeeded');
    expect(said(events)).toBe('first\nsecond\n');
  });

  step(
    'the menu of a file in the explorer, and of a selection in an editor, begin the prompt with the place',
    async () => {
      await (await vscode.inExplorer('src')).click();
      const file = await vscode.inExplorer('add.py');
      await vscode.fromMenu(file, 'Start Caisson Run Here');
      const asked = await vscode.asked('Start Run');
      await expect.poll(() => asked.inputValue(), SOON).toBe('In src/add.py: ');
      await asked.press('Escape');
      await file.dblclick();
      const line = vscode.page.locator('.editor-instance .view-line', { hasText: 'return a' });
      await line.click();
      await vscode.page.keyboard.press('Home');
      await vscode.page.keyboard.press('Shift+ArrowUp');
      await vscode.fromMenu(
        vscode.page.locator('.editor-instance .view-line', { hasText: 'def add' }),
        'Start Caisson Run Here',
      );
      await expect
        .poll(async () => (await vscode.asked('Start Run')).inputValue(), SOON)
        .toBe('In src/add.py, lines 1-2: ');
      await (await vscode.asked('Start Run')).press('Escape');
    },
  );

  step('a branch on the remote: the sandbox fetches it, without the credentials of the address', async () => {
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('cat pushed.txt', { Environment: 'fetching' });
    await vscode.planLine('Source').click();
    await vscode.choice('A branch on the remote').click();
    await vscode.asked('Which branch?');
    expect(await vscode.quickInput.innerText()).not.toContain('token');
    await camera.shoot('22-branch');
    await vscode.choice('origin/main').click();
    await vscode.planLine('origin/main').waitFor();
    await vscode.start();
    const { id } = await started('cat pushed.txt');
    const { run, events } = await finished(desk.caisson.client, id);
    expect(run.failure).toBeUndefined();
    expect(said(events)).toBe('from the remote\n');
    expect(JSON.stringify(events)).not.toContain('token');
  });

  step('a large upload asks first, shows how far it is, and can be canceled: nothing is left of it', async () => {
    await writeFile(join(folder, 'large.bin'), randomBytes(60 * 1024 * 1024));
    const uploads = () => readdir(join(desk.caisson.dataDir, 'uploads'));
    const before = { runs: await runCount(), temporary: await snapshots(), uploads: await uploads() };
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('cat pushed.txt', { Environment: 'default' });
    await vscode.start();
    await vscode.confirm('Upload 60 MiB?', 'Cancel');
    await expect.poll(snapshots, SOON).toEqual(before.temporary);

    // What was typed is not lost with the upload.
    await vscode.command('Caisson: Start Run…');
    const again = await vscode.asked('Start Run');
    expect(await again.inputValue()).toBe('cat pushed.txt');
    await again.press('Enter');
    await vscode.choose({});
    await vscode.start();
    await vscode.dialog('Upload 60 MiB?').waitFor();
    await camera.shoot('23-large-upload');
    desk.network.stall();
    await vscode.confirm('Upload 60 MiB?', 'Upload');
    await vscode.notification('uploading 60 MiB').waitFor();
    expect(await snapshots()).toHaveLength(before.temporary.length + 1);
    await camera.shoot('24-uploading');
    await vscode.press('uploading 60 MiB', 'Cancel');
    await vscode.notification('uploading 60 MiB').waitFor({ state: 'detached' });
    await expect.poll(snapshots, SOON).toEqual(before.temporary);
    desk.network.flow();
    await expect.poll(uploads, SOON).toEqual(before.uploads);
    expect(await runCount()).toBe(before.runs);
    await rm(join(folder, 'large.bin'));
  });

  step('nothing at all: the sandbox begins empty', async () => {
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('ls -A | grep -v .git; echo done', { Source: 'The run begins in an empty workspace' });
    await vscode.start();
    const { id } = await started('ls -A | grep -v .git; echo done');
    expect(said((await finished(desk.caisson.client, id)).events)).toBe('done\n');
    // What was chosen last is proposed, except where a place was clicked on.
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('ls');
    await vscode.planLine('An empty workspace').waitFor();
    await vscode.page.keyboard.press('Escape');
  });

  step('leaves nothing behind', async () => {
    expect(await leftovers(desk.caisson)).toEqual([]);
  });
});
