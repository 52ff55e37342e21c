import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { leftovers, untilEvent } from '../support/server.ts';
import { SKIP_GVISOR } from '../support/sandboxed.ts';
import { expectAccessible } from './accessibility.ts';
import { freePort } from './code-server.ts';
import { journey } from './journey.ts';
import { PROMPT, startScenario, type Scenario } from './scenario.ts';
import { createCamera } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };

/** Goes on until somebody, in a terminal, says that it may end. */
const LONG_PROMPT = 'echo begun; until [ -e /tmp/go ]; do sleep 0.1; done; echo ended';

/** The developer's whole way, in order. */
describe.skipIf(SKIP_GVISOR)('a developer in VS Code', { sequential: true }, () => {
  let world: Scenario;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  const step = journey(() => vscode);

  beforeAll(async () => {
    world = await startScenario(inject('vsix'));
    vscode = await world.browser.open(world.folder);
    camera = createCamera(vscode);
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  step('is welcomed, and nothing is known before they sign in', async () => {
    await vscode.showRuns();
    await vscode.page.locator('.sidebar .welcome-view').getByRole('button', { name: 'Sign In' }).waitFor();
    await camera.shoot('01-welcome');
  });

  step('signs in: a server that is not there and a wrong key are told apart, and the right key works', async () => {
    const { network, caisson } = world;
    await vscode.command('Caisson: Sign In…');
    await vscode.answer('Server', `127.0.0.1:${await freePort()}`);
    await vscode.answer('API Key', caisson.apiKey);
    await vscode.confirm('Nothing listens there', 'Try Again');

    await vscode.answer('Server', network.url);
    const key = await vscode.asked('API Key');
    expect(await key.getAttribute('type')).toBe('password');
    await camera.shoot('02-sign-in');
    await vscode.answer('API Key', `csn_live_${'0'.repeat(64)}`);
    await vscode.dialog('The server does not know this API key').waitFor();
    await camera.shoot('03-wrong-key');
    await vscode.confirm('does not know this API key', 'Try Again');

    await (await vscode.asked('Server')).press('Enter');
    await vscode.answer('API Key', caisson.apiKey);
    await vscode.page.locator('.sidebar .welcome-view').getByRole('button', { name: 'Start Run' }).waitFor();
  });

  step('starts a run of an agent on the dirty workspace', async () => {
    await vscode.page.keyboard.press('Control+Alt+Shift+R');
    await (await vscode.asked('Start Run')).fill(PROMPT);
    await camera.shoot('04-prompt');
    await (await vscode.asked('Start Run')).press('Enter');
    await vscode.choice('Environment').click();
    await vscode.asked('In which environment?');
    await vscode.choice('asking').click();
    await vscode.choice('Agent').click();
    await vscode.asked('Which agent?');
    await vscode.choice('claude').click();
    await vscode.choice('claude in asking').waitFor();
    await camera.shoot('05-plan');
    await vscode.choice('claude in asking').click();
    await vscode.run(PROMPT).waitFor();
  });

  step('watches it live, and sees that it waits for an answer', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.shows('Waiting for approval');
    await panel.frame.locator('.item-message strong', { hasText: 'mend' }).waitFor();
    await vscode.status('1/1').waitFor();
    await vscode.page.locator('.activitybar .badge-content', { hasText: '1' }).waitFor();
    await camera.shoot('06-approval');
    await camera.inEachTheme(() => expectAccessible(panel.frame, 'a run that waits for approval'));
  });

  step('loses the connection and gets it back, without a gap', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await world.network.cut();
    await panel.banner.filter({ hasText: 'Reconnecting' }).waitFor();
    await camera.shoot('07-reconnecting');
    await world.network.mend();
    await panel.banner.waitFor({ state: 'hidden' });
  });

  step('answers in the panel, and the run goes on to its end', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.button(/^Yes: .*sed/).click();
    await panel.frame.getByText('Allowed by you').first().waitFor();
    await panel.button(/^Yes: .*notes/).click();
    await panel.shows('Succeeded');
    await panel.frame.locator('.item-message td', { hasText: 'the sign' }).waitFor();
    const plan = panel.frame.locator('.item-plan').last();
    await plan.locator('.plan-completed', { hasText: 'Mend the sign' }).waitFor();
    await plan.locator('.plan-in_progress', { hasText: 'Reading the notes' }).waitFor();
    await camera.shoot('08-transcript');
  });

  step('sees what was refused and why, what the kernel saw, and that the record holds', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.select('Egress');
    await panel.row('Denied', 'telemetry.example.org:443', /not.*allow/i).waitFor();
    await panel.row('Allowed', 'notes.internal').waitFor();
    await camera.shoot('09-egress');
    await panel.select('Processes');
    await panel.filter('add.py');
    await panel.row("sed -i 's/a - b/a + b/' add.py").waitFor();
    await panel.filter('');
    await panel.frame.locator('.table-count:visible', { hasNotText: ' of ' }).waitFor();
    await camera.shoot('10-processes');
    await panel.select('Audit');
    await panel.frame.getByText(/^Chain verified up to event \d+$/).waitFor();
    await camera.shoot('11-audit');
    await panel.select('Changes');
    await panel.row('add.py', '+1', '−1').waitFor();
    await camera.shoot('12-changes');
  });

  step('could do all of this without seeing it well, or at all', async () => {
    const panel = await vscode.runPanel(PROMPT);
    for (const tab of ['Transcript', 'Egress', 'Processes', 'Audit', 'Changes'] as const) {
      await panel.select(tab);
      await panel.frame.locator('.list:visible .row').first().waitFor();
      await camera.inEachTheme(() => expectAccessible(panel.frame, tab));
    }
    // The tabs by arrow keys, the table by the page keys, a button by Enter: no mouse is needed.
    await panel.select('Processes');
    await panel.frame.getByRole('tab', { name: 'Processes' }).focus();
    await vscode.page.keyboard.press('ArrowRight');
    await expect.poll(() => panel.frame.getByRole('tab', { selected: true }).innerText(), SOON).toContain('Audit');
    await panel.frame.locator('.audit-table .disclosure').first().press('Enter');
    // It was drawn again, and has the focus again.
    const focused = panel.frame.locator('.disclosure:focus');
    await expect.poll(() => focused.getAttribute('aria-expanded'), SOON).toBe('true');
    await focused.press('Enter');
    await expect.poll(() => focused.getAttribute('aria-expanded'), SOON).toBe('false');
    await panel.select('Changes');
  });

  step('opens the diff in the multi-file diff editor', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.button('Open Diff').click();
    await vscode.tab('Changes of').waitFor();
    const editor = vscode.page.locator('.multiDiffEditor');
    await editor.locator('.view-line', { hasText: 'a - b' }).waitFor();
    await editor.locator('.view-line', { hasText: 'a + b' }).waitFor();
    await camera.shoot('13-diff');
    await vscode.command('View: Close Editor');
  });

  step('applies it, and the file is changed on disk', async () => {
    const panel = await vscode.runPanel(PROMPT);
    await panel.select('Changes');
    await panel.button('Apply to Workspace').click();
    await vscode.dialog('Apply the changes').waitFor();
    await camera.shoot('14-apply');
    await vscode.confirm('Apply the changes', 'Apply');
    await vscode.notification('1 file was changed.').waitFor();
    const read = (name: string) => readFile(join(world.folder, name), 'utf8');
    expect(await read('add.py')).toBe('def add(a, b):\n    return a + b\n');
    expect(await read('README.md')).toContain('Not committed yet.');
    expect(await read('secret.env')).toBe('TOKEN=hunter2\n');
  });

  step('takes the result as a patch and as a branch, which is not checked out over uncommitted work', async () => {
    const panel = await vscode.runPanel(PROMPT);
    const { id } = (await world.caisson.client.runs.list()).items[0]!;
    await panel.button('Save Patch…').click();
    const patch = join(world.folder, `caisson-${id.slice(-8)}.patch`);
    await vscode.acceptFile('Save Changes as Patch', patch);
    await expect.poll(() => readFile(patch, 'utf8').catch(() => ''), SOON).toContain('+    return a + b');
    await rm(patch);
    await panel.button('Check Out as Branch').click();
    await (await vscode.asked('Check Out as Branch')).press('Enter');
    await panel.frame.locator('.note', { hasText: 'was made, but not checked out' }).waitFor();
    const branch = (await world.git('branch', '--list', '--format=%(refname:short)', 'caisson/*')).trim();
    expect(await world.git('show', `${branch}:add.py`)).toContain('return a + b');
    expect((await world.git('branch', '--show-current')).trim()).toBe('main');
  });

  step(
    'finds the panel as it was when it comes back: hidden for a while, or after a reload of the window',
    async () => {
      const before = await vscode.runPanel(PROMPT);
      await before.select('Egress');
      await before.row('Denied').waitFor();
      await vscode.command('File: New Untitled Text File');
      await vscode.tab('Untitled-1').waitFor();
      await vscode.command('View: Close Editor');
      await (await vscode.runPanel(PROMPT)).row('Denied', 'telemetry.example.org:443').waitFor();
      // Nothing but the panel itself can wake the extension after the reload.
      await vscode.command('View: Show Explorer');
      await vscode.reload();
      const panel = await vscode.runPanel(PROMPT);
      await panel.shows('Succeeded');
      await vscode.showRuns();
      await panel.row('Denied', 'telemetry.example.org:443').waitFor();
    },
  );

  step('opens a shell in the sandbox of a run that goes on', async () => {
    await vscode.command('Caisson: Start Run…');
    await vscode.answer('Start Run', LONG_PROMPT);
    await vscode.choice('Agent').click();
    await vscode.asked('Which agent?');
    await vscode.choice('shell').click();
    await vscode.choice('Environment').click();
    await vscode.asked('In which environment?');
    await vscode.choice('default').click();
    await vscode.choice('shell in default').click();
    const panel = await vscode.runPanel(LONG_PROMPT);
    await panel.frame.locator('.item-message', { hasText: 'begun' }).waitFor();
    await panel.button('Terminal').click();
    await vscode.typeIntoTerminal('echo I am $(id -u) on $(stty size)\n');
    await expect.poll(() => vscode.terminal(), SOON).toMatch(/I am 10001 on \d+ \d+$/m);
    const rows = Number(/on (\d+) \d+$/m.exec(await vscode.terminal())?.[1]);
    await vscode.command('View: Toggle Maximized Panel');
    await vscode.typeIntoTerminal('echo now on $(stty size)\n');
    await expect.poll(() => vscode.terminal(), SOON).toMatch(/now on \d+ \d+$/m);
    expect(Number(/now on (\d+) /.exec(await vscode.terminal())?.[1])).toBeGreaterThan(rows);
    await camera.shoot('15-terminal');
    await vscode.command('View: Toggle Maximized Panel');
  });

  step('sees the same run in a second window, live', async () => {
    const second = await world.browser.open(world.folder);
    await second.showRuns();
    await second.run(LONG_PROMPT).click();
    const panel = await second.runPanel(LONG_PROMPT);
    await panel.frame.locator('.item-message', { hasText: 'begun' }).waitFor();
    await panel.shows('Running');
    // What is typed into the terminal of the first window ends the run, and both windows see it.
    await vscode.toFront();
    await vscode.typeIntoTerminal('touch /tmp/go\n');
    await (await vscode.runPanel(LONG_PROMPT)).shows('Succeeded');
    await expect.poll(() => vscode.terminal(), SOON).toContain('Press any key');
    await vscode.page.keyboard.press('Enter');
    await second.toFront();
    await panel.shows('Succeeded');
    await panel.frame.locator('.item-message', { hasText: 'ended' }).waitFor();
    await second.close();
    await vscode.toFront();
  });

  step('is told that a run waits for them, and goes on with it', async () => {
    const { client } = world.caisson;
    const prompt = 'until [ -e /tmp/on ]; do sleep 0.1; done; echo one';
    const { id } = await client.runs.create({ prompt, agent: 'shell', interactive: true });
    await vscode.command('Caisson: Refresh Runs');
    await vscode.run(prompt).waitFor();
    await untilEvent(client, id, (event) => event.type === 'agent.started');
    const ignore = () => undefined;
    client.openTerminal(id, { columns: 80, rows: 24 }, { output: ignore, ended: ignore }).input('touch /tmp/on\n');
    await vscode.press('waits for your answer', 'Open Run');
    const panel = await vscode.runPanel(prompt);
    await panel.frame.locator('.item-message', { hasText: 'one' }).waitFor();
    await panel.frame.locator('vscode-text-area textarea').fill('echo two');
    await panel.button('Send').click();
    await panel.frame.locator('.item-message', { hasText: 'two' }).waitFor();
    await panel.button('Finish').click();
    await panel.shows('Succeeded');
  });

  step(
    'is told when the server is started anew in the middle of a run, and the panel says what became of it',
    async () => {
      const { id } = await world.caisson.client.runs.create({ prompt: 'sleep 600', agent: 'shell' });
      await vscode.command('Caisson: Refresh Runs');
      await vscode.run('sleep 600').click();
      const panel = await vscode.runPanel('sleep 600');
      await panel.shows('Running');
      await world.caisson.restart();
      await panel.shows('Failed');
      await panel.banner.waitFor({ state: 'hidden' });
      expect((await world.caisson.client.runs.get(id)).state).toBe('failed');
      await camera.shoot('16-server-restarted');
    },
  );

  step('finds all runs in the history, filters them and exports them', async () => {
    await vscode.command('Caisson: Open Run History');
    await vscode.tab('Run History').waitFor();
    const page = await vscode.webview('main.history');
    const rows = page.locator('.history-table .row:not(.head)');
    await rows.filter({ hasText: PROMPT }).waitFor();
    await rows.filter({ hasText: 'sleep 600' }).waitFor();
    await camera.shoot('17-history');
    await camera.inEachTheme(() => expectAccessible(page, 'history'));
    await page.locator('vscode-text-field input').fill('Mend');
    await rows.filter({ hasText: 'sleep 600' }).waitFor({ state: 'detached' });
    await expect.poll(() => rows.count(), SOON).toBe(1);
    await page.getByRole('button', { name: 'CSV' }).click();
    const file = join(world.folder, 'caisson-runs.csv');
    await vscode.acceptFile('Export Run History', file);
    await expect.poll(() => readFile(file, 'utf8').catch(() => ''), SOON).toContain(PROMPT);
    await rm(file);
  });

  step('is led back to sign-in when the key is revoked, with the run list kept', async () => {
    const { client } = world.caisson;
    const fresh = await client.keys.create({ name: 'next' });
    const { key } = await client.me();
    await client.keys.revoke(key.id);
    await vscode.command('Caisson: Refresh Runs');
    await vscode.notification('no longer accepts your API key').waitFor();
    await vscode.run(PROMPT).waitFor();
    await vscode.page.locator('.sidebar .message', { hasText: 'sign in again' }).waitFor();
    await camera.shoot('18-revoked');
    await vscode.press('no longer accepts your API key', 'Sign In');
    await (await vscode.asked('Server')).press('Enter');
    await vscode.answer('API Key', fresh.key);
    await vscode.page.locator('.sidebar .message', { hasText: 'sign in again' }).waitFor({ state: 'hidden' });
    await vscode.run(PROMPT).click();
    await (await vscode.runPanel(PROMPT)).shows('Succeeded');
    await expectNowhere(
      [world.caisson.apiKey, fresh.key],
      [world.vscode.dataDir, world.vscode.home, world.vscode.profile],
    );
  });

  step('leaves nothing behind', async () => {
    expect(await leftovers(world.caisson)).toEqual([]);
  });
});

/** No file below these folders holds one of the secrets, as text of one or two bytes for each character. */
async function expectNowhere(secrets: readonly string[], folders: readonly string[]): Promise<void> {
  const needles = secrets.flatMap((secret) => [Buffer.from(secret), Buffer.from(secret, 'utf16le')]);
  let files = 0;
  for (const folder of folders) {
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const file = join(entry.parentPath, entry.name);
      // What the browser deletes meanwhile holds nothing any more.
      const content = await readFile(file).catch(() => Buffer.alloc(0));
      files++;
      for (const needle of needles) expect(content.includes(needle), `${file} holds an API key`).toBe(false);
    }
  }
  expect(files, 'files that were looked at').toBeGreaterThan(50);
}
