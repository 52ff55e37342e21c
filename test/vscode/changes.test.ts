import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { leftovers, repository } from '../support/server.ts';
import { SKIP_GVISOR } from '../support/sandboxed.ts';
import { startDesk, type Desk } from './desk.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };
/** A file in each of the ways in which changes are difficult, and very many of them. */
const SCRIPT = [
  `sed -i 's/a - b/a + b/' add.py`,
  `sed -i 's/last/LAST/' README.md`,
  `printf '\\0\\1\\2' > logo.bin`,
  'seq 1 900000 > huge.txt',
  'rm gone.txt',
  'mv old.txt new.txt',
  'mkdir many; for i in $(seq 1 1000); do echo $i > many/$i.txt; done',
].join('\n');
const PROMPT = 'sh change.sh';
/** A file that was moved counts twice. */
const FILES = 1007;

describe.skipIf(SKIP_GVISOR)('changes that are not easy', { sequential: true }, () => {
  let desk: Desk;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  let folder: string;
  let git: (...args: string[]) => Promise<string>;
  const step = journey(() => vscode);
  const read = (name: string) => readFile(join(folder, name), 'utf8');

  beforeAll(async () => {
    desk = await startDesk({ vsix: inject('vsix') });
    const repo = await repository({
      'add.py': 'def add(a, b):\n    return a - b\n',
      'README.md': '# first\n\nsecond\n\nthird\n\nlast\n',
      'change.sh': SCRIPT,
      'gone.txt': 'x\n',
      'old.txt': 'one\ntwo\nthree\n',
    });
    ({ path: folder, git } = repo);
    desk.cleanup.add('repository', repo.dispose);
    vscode = await desk.browser.open(folder);
    camera = createCamera(vscode);
    await vscode.signIn(desk.caisson.url, desk.caisson.apiKey);
  });
  afterAll(async () => desk?.[Symbol.asyncDispose]());

  step('lists them all: binary, enormous, moved, deleted, a thousand', async () => {
    await vscode.command('Caisson: Start Run…');
    await vscode.plan(PROMPT, { Agent: 'shell' });
    await vscode.start();
    const panel = await vscode.runPanel(PROMPT);
    await panel.shows('Succeeded');
    await panel.select('Changes');
    await panel.frame.locator('.table-count', { hasText: `${FILES.toLocaleString('en')} files` }).waitFor();
    await panel.row('add.py', '+1', '−1').waitFor();
    await panel.row('gone.txt').waitFor();
    await panel.row('huge.txt', '+900,000').waitFor();
    await panel.row('logo.bin', 'binary').waitFor();
    await camera.shoot('60-changes');
    expect(await panel.frame.locator('.changes-table .row').count()).toBeLessThan(200);
  });

  step('says in the diff what it cannot show: a binary file, and one that is too large', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.frame.getByRole('button', { name: 'logo.bin' }).click();
    await vscode.page.locator('.editor-instance .view-line', { hasText: '(binary file' }).first().waitFor();
    await vscode.command('View: Close Editor');
    await (await vscode.runPanel(PROMPT)).frame.getByRole('button', { name: 'huge.txt' }).click();
    await vscode.page.locator('.editor-instance .view-line', { hasText: 'too large to be shown' }).first().waitFor();
    await vscode.command('View: Close Editor');
  });

  step('checks them out as a branch where nothing stands in the way', async () => {
    await (await vscode.runPanel(PROMPT)).button('Check Out as Branch').click();
    const asked = await vscode.asked('Check Out as Branch');
    const branch = await asked.inputValue();
    expect(branch).toMatch(/^caisson\/[0-9a-z]{8}$/);
    await asked.press('Enter');
    const panel = await vscode.runPanel(PROMPT);
    await panel.frame.locator('.note', { hasText: `The branch ${branch} is checked out.` }).waitFor();
    expect((await git('branch', '--show-current')).trim()).toBe(branch);
    expect(await read('add.py')).toContain('a + b');
    await git('switch', '--quiet', 'main');
  });

  step('opens all of them at once', async () => {
    await (await vscode.runPanel(PROMPT)).button('Open Diff').click();
    const editor = vscode.page.locator('.multiDiffEditor');
    await editor.locator('.view-line', { hasText: 'a + b' }).waitFor();
    await camera.shoot('61-diff');
    await vscode.command('View: Close Editor');
  });

  step('merges what has changed in the workspace meanwhile, and conflicts surface as those of git do', async () => {
    await writeFile(join(folder, 'add.py'), 'def add(a, b):\n    return sum((a, b))\n');
    await writeFile(join(folder, 'README.md'), '# FIRST\n\nsecond\n\nthird\n\nlast\n');
    const panel = await vscode.runPanel(PROMPT);
    await panel.select('Changes');
    await panel.button('Apply to Workspace').click();
    await vscode.dialog('The workspace has changed since the run began').waitFor();
    await camera.shoot('62-merge');
    await vscode.confirm('Apply the changes', 'Merge');
    await vscode.notification('Resolve the conflicts in: add.py').waitFor();
    expect(await read('add.py')).toMatch(/^def[^]*<<<<<<< Workspace\n.*sum[^]*>>>>>>> Run\n$/);
    expect(await read('README.md')).toBe('# FIRST\n\nsecond\n\nthird\n\nLAST\n');
    expect(await readFile(join(folder, 'logo.bin'))).toEqual(Buffer.from([0, 1, 2]));
    expect((await stat(join(folder, 'huge.txt'))).size).toBeGreaterThan(5 * 1024 * 1024);
    expect(await read('many/1000.txt')).toBe('1000\n');
    expect(await read('new.txt')).toBe('one\ntwo\nthree\n');
    await expect(stat(join(folder, 'old.txt'))).rejects.toThrow('ENOENT');
    await expect(stat(join(folder, 'gone.txt'))).rejects.toThrow('ENOENT');
    expect(await git('status', '--porcelain', 'add.py')).toBe('UU add.py\n');
    await vscode.press('Resolve the conflicts in', 'Open Source Control');
    await vscode.page.locator('.scm-view .monaco-list-row', { hasText: 'Merge Changes' }).waitFor();
    await vscode.page.locator('.scm-view .monaco-list-row', { hasText: 'add.py' }).first().waitFor();
    await camera.shoot('63-conflict');
  });

  step('applied and resolved, it has nothing more to merge', async () => {
    await writeFile(join(folder, 'add.py'), 'def add(a, b):\n    return a + b\n');
    await writeFile(join(folder, 'README.md'), '# first\n\nsecond\n\nthird\n\nLAST\n');
    await git('add', '--all');
    const panel = await vscode.runPanel(PROMPT);
    await panel.button('Apply to Workspace').click();
    const dialog = vscode.dialog('Apply the changes');
    await dialog.waitFor();
    expect(await dialog.innerText()).not.toContain('has changed since');
    await vscode.page.keyboard.press('Escape');
  });

  step('leaves nothing behind', async () => {
    await expect.poll(() => leftovers(desk.caisson), SOON).toEqual([]);
  });
});
