import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { startTestServer, untilEnded, untilEvent, leftovers, type TestServer } from '../support/server.ts';
import { SKIP_GVISOR, temporaryFolder } from '../support/sandboxed.ts';
import { startDesk, type Desk } from './desk.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };
const HOUR_MS = 3_600_000;
const GOES_ON = 'sleep 600';

/** The server's clock is two hours ahead of VS Code's, as clocks sometimes are. */
describe.skipIf(SKIP_GVISOR)('the list of runs', { sequential: true }, () => {
  let desk: Desk;
  let folder: string;
  let other: TestServer;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  let offsetMs = -24 * HOUR_MS;
  const step = journey(() => vscode);
  const clock = { now: () => new Date(Date.now() + offsetMs) };

  const run = async (prompt: string): Promise<string> =>
    (await desk.caisson.client.runs.create({ prompt, agent: 'shell' })).id;
  const group = (name: string) => vscode.page.locator('.sidebar .monaco-list-row[aria-level="1"]', { hasText: name });
  const rows = () => vscode.page.locator('.sidebar .monaco-list-row[aria-level="2"]').allInnerTexts();

  beforeAll(async () => {
    desk = await startDesk({
      vsix: inject('vsix'),
      overrides: { clock },
      settings: { 'caisson.notifications': 'all', 'caisson.runs.refreshInterval': 10 },
    });
    const temporary = await temporaryFolder();
    folder = temporary.path;
    desk.cleanup.add('folder', async () => temporary[Symbol.asyncDispose]());
    await untilEnded(desk.caisson.client, await run('echo yesterday'));
    offsetMs = 2 * HOUR_MS;
    await untilEnded(desk.caisson.client, await run('echo one > made.txt'));
    await untilEnded(desk.caisson.client, await run('exit 3'));
    const going = await run(GOES_ON);
    await untilEvent(desk.caisson.client, going, (event) => event.type === 'agent.started');
    vscode = await desk.browser.open(folder);
    camera = createCamera(vscode);
    await vscode.signIn(desk.network.url, desk.caisson.apiKey);
  });
  afterAll(async () => {
    await desk?.[Symbol.asyncDispose]();
    await other?.close();
  });

  step('groups them by what goes on, today and earlier, whatever the server’s clock says', async () => {
    await vscode.run(GOES_ON).waitFor();
    await expect.poll(rows, SOON).toHaveLength(3);
    await group('Active').waitFor();
    // Some of today's runs may have ended before midnight, when this runs at that hour; both names are groups.
    await group('Earlier').click();
    await vscode.run('echo yesterday').waitFor();
    const text = (await rows()).join('\n');
    expect(text).toMatch(/just now|\d min ago/);
    expect(text).not.toMatch(/-\d|[12] h/);
    await camera.shoot('40-runs');
  });

  step('opens one by its inline action or by Enter, and says more when pointed at', async () => {
    await vscode.inline(vscode.run('exit 3'), 'Open Run');
    await (await vscode.runPanel('exit 3')).shows('Failed');
    await vscode.run('echo yesterday').click();
    await (await vscode.runPanel('echo yesterday')).shows('Succeeded');
    await vscode.page.keyboard.press('ArrowUp');
    await vscode.run('exit 3').hover();
    const hover = vscode.page.locator('.monaco-hover:visible', { hasText: 'exit 3' });
    await hover.waitFor();
    expect((await hover.innerText()).replaceAll('\u00a0', ' ')).toContain('Failed · shell · default');
    await vscode.page.mouse.move(640, 850);
  });

  step('filters by words and by state, and says when nothing is left', async () => {
    await vscode.viewAction('Filter Runs…').click();
    const box = await vscode.asked('Filter Runs');
    await box.fill('exit');
    await expect.poll(rows, SOON).toHaveLength(1);
    await box.fill('yesterday');
    await expect.poll(rows, SOON).toHaveLength(1);
    await vscode.run('echo yesterday').waitFor();
    await box.fill('there is no such run');
    await expect.poll(rows, SOON).toHaveLength(0);
    await vscode.page.locator('.sidebar .message', { hasText: 'No run matches the filter' }).waitFor();
    await box.fill('');
    await vscode.choice('Active').click();
    await expect.poll(rows, SOON).toHaveLength(1);
    await vscode.viewAction('Clear Run Filter').click();
    await expect.poll(rows, SOON).toHaveLength(3);
    await group('Earlier').waitFor();
  });

  step('shows the changes of one by its inline action', async () => {
    await vscode.inline(vscode.run('echo one'), 'Show Changes');
    await vscode.page.locator('.multiDiffEditor .view-line', { hasText: 'one' }).waitFor();
    await vscode.command('View: Close Editor');
  });

  step('cancels one inline; nobody is told what they have just done themselves', async () => {
    await vscode.inline(vscode.run(GOES_ON), 'Cancel Run');
    await group('Active').waitFor({ state: 'detached' });
    await vscode.run(GOES_ON).filter({ hasText: 'Canceled' }).waitFor();
    await vscode
      .status(/\d/)
      .filter({ hasText: /^\s*1\s*$/ })
      .waitFor({ state: 'detached' });
    expect(await vscode.page.locator('.notification-toast').count()).toBe(0);
  });

  step('is told when a run has finished, with its changes at hand', async () => {
    const prompt = 'echo finished > made.txt';
    await run(prompt);
    await vscode.viewAction('Refresh Runs').click();
    await vscode.press(`«${prompt}» has finished.`, 'Show Changes');
    await vscode.page.locator('.multiDiffEditor .view-line', { hasText: 'finished' }).waitFor();
    await vscode.command('View: Close All Editors');
  });

  step('deletes one after a question; one that was deleted elsewhere says so', async () => {
    await vscode.fromMenu(vscode.run('exit 3'), 'Delete Run…');
    await vscode.dialog('Delete the run «exit 3»?').waitFor();
    await camera.shoot('42-delete');
    await vscode.confirm('Delete the run', 'Delete');
    await vscode.run('exit 3').waitFor({ state: 'detached' });
    const { client } = desk.caisson;
    await vscode.run('echo one').click();
    const panel = await vscode.runPanel('echo one > made.txt');
    await panel.shows('Succeeded');
    const { items } = await client.runs.list({ text: 'echo one' });
    await client.runs.delete(items[0]!.id);
    await vscode.viewAction('Refresh Runs').click();
    await vscode.run('echo one').waitFor({ state: 'detached' });
    await panel.banner.filter({ hasText: 'This run was deleted' }).waitFor();
    await camera.shoot('43-deleted');
    await vscode.command('View: Close All Editors');
  });

  step('moves between servers, each with its own key and its own runs', async () => {
    // It only has to answer: two servers cannot share one runtime, whose witness is one of them.
    other = await startTestServer({ CAISSON_RUNTIME: 'runc', CAISSON_ALLOW_UNSANDBOXED: '1' });
    await vscode.command('Caisson: Switch Server…');
    await vscode.choice('Add Server').click();
    await vscode.answer('Server', other.url);
    await vscode.answer('API Key', other.apiKey);
    await vscode.page.locator('.sidebar .welcome-view', { hasText: 'No runs yet' }).waitFor();
    await vscode.command('Caisson: Switch Server…');
    await vscode.asked('Switch Caisson Server');
    await camera.shoot('44-servers');
    await vscode.choice(new URL(desk.network.url).host).click();
    await vscode.run('echo finished').waitFor();
    await vscode.reload();
    await vscode.run('echo finished').waitFor();
    const second = await desk.browser.open(folder);
    await second.showRuns();
    await second.run('echo finished').waitFor();
    await vscode.toFront();
    await vscode.command('Caisson: Sign Out…');
    await vscode.confirm('Sign out from', 'Sign Out');
    const signIn = (window: Workbench) => window.page.locator('.sidebar .welcome-view', { hasText: 'Sign In' });
    await signIn(vscode).waitFor();
    // In a browser VS Code tells nobody; the other window notices when it reads the list again.
    await second.toFront();
    await second.viewAction('Refresh Runs').click();
    await signIn(second).waitFor();
    await second.close();
    await vscode.toFront();
    // The other server's key is still known: no question is asked.
    await vscode.command('Caisson: Switch Server…');
    await vscode.choice(new URL(other.url).host).click();
    await vscode.page.locator('.sidebar .welcome-view', { hasText: 'No runs yet' }).waitFor();
  });

  step('leaves nothing behind', async () => {
    expect(await leftovers(desk.caisson)).toEqual([]);
  });
});
