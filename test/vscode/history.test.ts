import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import type { NewEvent } from '../../shared/protocol/events.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { addMember, type Tenant } from '../support/organizations.ts';
import { sampleData } from '../support/run-events.ts';
import { leftovers, untilEvent } from '../support/server.ts';
import { SKIP_GVISOR, temporaryFolder } from '../support/sandboxed.ts';
import { startDesk, type Desk } from './desk.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import { ownerOf, seedRun } from './seed.ts';
import type { Workbench } from './workbench.ts';

const SOON = { timeout: 15_000 };
const DAY_MS = 86_400_000;
const SEEDED = 230;
const GOES_ON = 'echo of somebody else; sleep 600';

/** A run as its log would have it: every third fails, and each took a second longer than the one before. */
function pastRun(n: number, environment: { id: string; name: string }): NewEvent[] {
  const failed = n % 3 === 0;
  const title = `Task ${String(n).padStart(3, '0')}`;
  const usage = { ...sampleData['run.result'].usage, wallMs: n * 1000, inputTokens: n * 10 };
  return [
    {
      type: 'run.created',
      actor: 'key:key_1',
      data: {
        ...sampleData['run.created'],
        title,
        prompt: title,
        environment,
        agent: { id: 'claude', name: 'claude' },
      },
    },
    { type: 'run.state', actor: 'server', data: { from: 'queued', to: 'preparing' } },
    { type: 'run.state', actor: 'server', data: { from: 'preparing', to: 'running' } },
    ...Array.from({ length: n % 4 }, (): NewEvent => ({
      type: 'egress.denied',
      actor: 'gateway',
      data: sampleData['egress.denied'],
    })),
    { type: 'run.result', actor: 'server', data: { ...sampleData['run.result'], patch: null, usage } },
    {
      type: 'run.state',
      actor: 'server',
      data: failed
        ? { from: 'running', to: 'failed', failure: { code: 'agent_exited', message: 'The agent gave up.' } }
        : { from: 'running', to: 'succeeded' },
    },
  ];
}

describe.skipIf(SKIP_GVISOR)('a team lead in the history', { sequential: true }, () => {
  let desk: Desk;
  let vscode: Workbench;
  let page: Frame;
  let member: Tenant;
  let folder: string;
  let camera: ReturnType<typeof createCamera>;
  const step = journey(() => vscode);

  const rows = () => page.locator('.history-table .row:not(.head)');
  const first = async () => (await rows().first().innerText()).split('\n');
  const totals = (text: string | RegExp) => page.locator('.totals', { hasText: text }).waitFor();
  const choose = async (label: string, option: string) => {
    await page.locator(`vscode-dropdown[aria-label="${label}"]`).click();
    await page.locator(`vscode-dropdown[aria-label="${label}"] vscode-option`, { hasText: option }).click();
  };
  const exported = async (format: 'CSV' | 'JSON'): Promise<string> => {
    const file = join(folder, `caisson-runs.${format.toLowerCase()}`);
    await page.getByRole('button', { name: `Export ${format}` }).click();
    await vscode.acceptFile('Export Run History', file);
    await expect.poll(() => readFile(file, 'utf8').catch(() => ''), SOON).not.toBe('');
    const content = await readFile(file, 'utf8');
    await rm(file);
    return content;
  };

  beforeAll(async () => {
    desk = await startDesk({ vsix: inject('vsix') });
    const temporary = await temporaryFolder();
    folder = temporary.path;
    desk.cleanup.add('folder', async () => temporary[Symbol.asyncDispose]());
    const { caisson } = desk;
    const owner = await ownerOf(caisson);
    member = await addMember(caisson, owner.organizationId, 'member');
    const of = await ownerOf(member);
    const { items } = await caisson.client.environments.list({});
    const other = await caisson.client.environments.create({ name: 'node-22' });
    for (let n = 1; n <= SEEDED; n++) {
      const environment = n % 2 === 0 ? other : items[0]!;
      // The higher the number, the younger; the first ones are more than a month old.
      const createdAt = new Date(Date.now() - ((SEEDED - n) * DAY_MS) / 5);
      await seedRun(caisson, n % 5 === 0 ? of : owner, pastRun(n, environment), { createdAt, environment });
    }
    vscode = await desk.browser.open(folder);
    camera = createCamera(vscode);
    await vscode.signIn(caisson.url, caisson.apiKey);
  });
  afterAll(async () => {
    member?.client.close();
    await desk?.[Symbol.asyncDispose]();
  });

  step('sees the newest runs of everybody, and the rest page by page', async () => {
    await vscode.command('Caisson: Open Run History');
    page = await vscode.webview('main.history');
    await totals('200 runs loaded');
    expect(await first()).toContain('Task 230');
    await rows().filter({ hasText: 'A member' }).first().waitFor();
    await camera.shoot('50-history');
    await page.getByRole('button', { name: 'Load More' }).click();
    await totals(`${SEEDED} runs`);
    await page.getByRole('button', { name: 'Load More' }).waitFor({ state: 'hidden' });
  });

  step('sorts by any column, both ways, and finds it like that after a reload', async () => {
    const header = (name: string) => page.getByRole('columnheader', { name });
    await header('Title').getByRole('button').click();
    await expect.poll(first, SOON).toContain('Task 001');
    expect(await header('Title').getAttribute('aria-sort')).toBe('ascending');
    await header('Time').getByRole('button').click();
    await expect.poll(first, SOON).toContain('Task 230');
    await header('Time').getByRole('button').click();
    await expect.poll(first, SOON).toContain('Task 001');
    await page.locator('.search input').fill('task 01');
    await totals('10 runs');
    await vscode.reload();
    page = await vscode.webview('main.history');
    await totals('10 runs');
    expect(await first()).toContain('Task 010');
    expect(await header('Time').getAttribute('aria-sort')).toBe('ascending');
    await page.locator('.search input').fill('');
    await totals('200 runs loaded');
  });

  step('filters by state, member, environment and time, with totals of what is left', async () => {
    await choose('State', 'Failed');
    // 3, 6, …, 228
    await totals('76 runs');
    await totals('0 succeeded · 76 failed');
    await choose('Member', 'A member');
    await totals('15 runs');
    await choose('Environment', 'node-22');
    await totals('7 runs');
    await choose('Time', 'Last 30 days');
    await totals('5 runs');
    await camera.shoot('51-filtered');
    await choose('State', 'All states');
    await choose('Environment', 'All environments');
    await totals('30 runs');
  });

  step('exports what the filters leave, all pages of it', async () => {
    await choose('Member', 'All members');
    await choose('Time', 'Any time');
    await totals('200 runs loaded');
    const json = JSON.parse(await exported('JSON')) as Run[];
    expect(json).toHaveLength(SEEDED);
    expect(new Set(json.map(({ id }) => id)).size).toBe(SEEDED);
    expect(json[0]).toMatchObject({ title: 'Task 001', state: 'succeeded' });
    const csv = (await exported('CSV')).split('\r\n');
    expect(csv).toHaveLength(SEEDED + 2);
    expect(csv[5]).toContain('A member');
  });

  step('opens somebody else’s run to read it, not to steer it', async () => {
    const { id } = await member.client.runs.create({ prompt: GOES_ON, agent: 'shell', interactive: true });
    await untilEvent(member.client, id, (event) => event.type === 'agent.message');
    await page.locator('.search input').fill('somebody else');
    await totals('1 active');
    await rows().getByRole('button', { name: GOES_ON }).press('Enter');
    const panel = await vscode.runPanel(GOES_ON);
    await panel.shows('Running');
    await panel.frame.locator('.item-message', { hasText: 'of somebody else' }).waitFor();
    await camera.shoot('52-read-only');
    for (const name of ['Cancel', 'Pause', 'Terminal', 'Finish', 'Send'])
      expect(await panel.frame.getByRole('button', { name }).filter({ visible: true }).count(), name).toBe(0);
    await vscode.run(GOES_ON).waitFor({ state: 'detached' });
    await member.client.runs.cancel(id);
    await panel.shows('Canceled');
    await vscode.command('View: Close Editor');
  });

  step('a member sees their own runs only', async () => {
    await vscode.command('Caisson: Sign In…');
    await (await vscode.asked('Server')).press('Enter');
    await vscode.answer('API Key', member.apiKey);
    await vscode.run('Task 229').waitFor({ state: 'detached' });
    await vscode.command('Caisson: Open Run History');
    page = await vscode.webview('main.history');
    await page.locator('.search input').fill('');
    // Every fifth, and the one that was canceled.
    await totals(`${SEEDED / 5 + 1} runs`);
  });

  step('leaves nothing behind', async () => {
    expect(await leftovers(desk.caisson)).toEqual([]);
  });
});
