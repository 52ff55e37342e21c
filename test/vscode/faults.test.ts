import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject } from 'vitest';
import { Cleanup } from '../../server/base/lifecycle.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { leftovers, startTestServer, untilEvent, type TestServer } from '../support/server.ts';
import { SKIP_GVISOR, temporaryFolder } from '../support/sandboxed.ts';
import { longRun } from '../unit/webview/sample-run.ts';
import { startDesk, type Desk } from './desk.ts';
import { journey } from './journey.ts';
import { createCamera } from './screenshots.ts';
import { addNewerEvent, ownerOf, seedRun } from './seed.ts';
import type { Workbench } from './workbench.ts';

const exec = promisify(execFile);
const SOON = { timeout: 15_000 };
const COUNTS = 'for i in $(seq 1 600); do echo line $i; sleep 0.2; done';
const MANY = 100_000;

/** A key and a certificate that it has signed itself, for one address. */
async function makeCertificate(folder: string, name: string, subject: string): Promise<{ key: string; cert: string }> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)];
  const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2'.split(' ');
  const names = ['-subj', `/CN=caisson-${name}`, '-addext', `subjectAltName=${subject}`];
  await exec('openssl', [...make, ...names, '-keyout', key, '-out', cert]);
  return { key, cert };
}

describe.skipIf(SKIP_GVISOR)('what goes wrong between VS Code and a server', { sequential: true }, () => {
  let desk: Desk;
  let vscode: Workbench;
  let camera: ReturnType<typeof createCamera>;
  let secure: TestServer;
  const step = journey(() => vscode);
  const at: Record<'page' | 'unknown' | 'misnamed', string> = {
    page: '',
    unknown: '',
    misnamed: '',
  };

  beforeAll(async () => {
    const cleanup = new Cleanup();
    const folder = await temporaryFolder();
    cleanup.add('folder', async () => folder[Symbol.asyncDispose]());
    const good = await makeCertificate(folder.path, 'good', 'IP:127.0.0.1');
    const misnamed = await makeCertificate(folder.path, 'misnamed', 'DNS:caisson.example.com');
    const unknown = await makeCertificate(folder.path, 'unknown', 'IP:127.0.0.1');
    const trusted = join(folder.path, 'trusted.pem');
    await exec('sh', ['-c', 'cat "$1" "$2" > "$3"', 'sh', good.cert, misnamed.cert, trusted]);
    // What VS Code takes for the certificates of the operating system (OpenSSL, SSL_CTX_set_default_verify_paths(3)).
    desk = await startDesk({ vsix: inject('vsix'), env: { SSL_CERT_FILE: trusted }, cleanup });
    // It runs without gVisor: two servers cannot share one runtime, whose witness is one of them.
    secure = await startTestServer({
      CAISSON_TLS_CERT: good.cert,
      CAISSON_TLS_KEY: good.key,
      CAISSON_RUNTIME: 'runc',
      CAISSON_ALLOW_UNSANDBOXED: '1',
    });
    desk.cleanup.add('secure server', () => secure.close());
    const serve = async (what: keyof typeof at, server: Server): Promise<void> => {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      desk.cleanup.add(what, () => void server.close());
      at[what] = `${what === 'page' ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
    };
    const page: RequestListener = (_request, response) =>
      response.setHeader('content-type', 'text/html').end('<h1>It works!</h1>');
    const tls = async ({ key, cert }: { key: string; cert: string }) => ({
      key: await readFile(key),
      cert: await readFile(cert),
    });
    await serve('page', createHttpServer(page));
    await serve('misnamed', createHttpsServer(await tls(misnamed), page));
    await serve('unknown', createHttpsServer(await tls(unknown), page));
    vscode = await desk.browser.open(folder.path);
    camera = createCamera(vscode);
  });
  afterAll(async () => desk?.[Symbol.asyncDispose]());

  step(
    'tells a certificate that nobody knows, one for another name, no TLS at all, and what is no Caisson apart',
    async () => {
      await vscode.showRuns();
      await vscode.command('Caisson: Sign In…');
      const expectations: [url: string, words: string][] = [
        [at.unknown, 'not signed by an authority that this machine knows'],
        [at.misnamed, 'Its certificate is for another name'],
        [at.page.replace('http:', 'https:'), 'It does not speak TLS there'],
        [at.page, 'not a Caisson server'],
      ];
      for (const [url, words] of expectations) {
        await vscode.answer('Server', url);
        await vscode.answer('API Key', desk.caisson.apiKey);
        await vscode.dialog(words).waitFor();
        if (url === at.unknown) await camera.shoot('70-certificate');
        await vscode.confirm(words, 'Try Again');
      }
      const server = await vscode.asked('Server');
      await server.fill('http://user:pass@host');
      await vscode.quickInput.locator('.quick-input-message', { hasText: 'This is not a server address' }).waitFor();
      await server.fill('http://caisson.example.com');
      await vscode.quickInput.locator('.quick-input-message', { hasText: 'unencrypted' }).waitFor();
      await vscode.page.keyboard.press('Escape');
    },
  );

  step('works over TLS with a certificate that the machine knows: requests, uploads and the stream', async () => {
    expect(secure.url).toMatch(/^https:/);
    await vscode.signIn(secure.url, secure.apiKey);
    await vscode.command('Caisson: Start Run…');
    await vscode.plan('echo over TLS', { Agent: 'shell' });
    await vscode.start();
    const panel = await vscode.runPanel('echo over TLS');
    await panel.shows('Succeeded');
    await panel.frame.locator('.item-message', { hasText: 'over TLS' }).waitFor();
    // There is no gVisor here, and that is not kept quiet.
    await panel.frame.locator('header', { hasText: 'No sandbox' }).waitFor();
    await panel.frame.locator('.item-notice.tone-bad', { hasText: 'without a sandbox' }).waitFor();
    await camera.shoot('74-not-sandboxed');
  });

  step('a key that is revoked while a run is watched: the panel says so, and goes on with the next key', async () => {
    const { client } = desk.caisson;
    const [first, second] = [await client.keys.create({ name: 'first' }), await client.keys.create({ name: 'second' })];
    await vscode.signIn(desk.network.url, first.key);
    const { id } = await client.runs.create({ prompt: COUNTS, agent: 'shell' });
    await untilEvent(client, id, (event) => event.type === 'agent.message');
    await vscode.viewAction('Refresh Runs').click();
    await vscode.run(COUNTS).click();
    const panel = await vscode.runPanel(COUNTS);
    await panel.shows('Running');
    await client.keys.revoke(first.id);
    await panel.banner.filter({ hasText: 'Sign in again to go on' }).waitFor();
    await vscode.notification('no longer accepts your API key').waitFor();
    await vscode.run(COUNTS).waitFor();
    await camera.shoot('71-revoked');
    await vscode.press('no longer accepts your API key', 'Sign In');
    await (await vscode.asked('Server')).press('Enter');
    await vscode.answer('API Key', second.key);
    await panel.banner.waitFor({ state: 'hidden' });
    const { lastSeq } = await client.runs.get(id);
    await client.runs.cancel(id);
    await panel.shows('Canceled');
    await panel.select('Audit');
    await panel.frame.getByText(/^Chain verified up to event \d+$/).waitFor();
    expect(Number(/\d+$/.exec(await panel.frame.locator('.chain').innerText())?.[0])).toBeGreaterThan(lastSeq);
  });

  step('a link that is dead without saying so: the panel notices, and misses nothing', async () => {
    const { client } = desk.caisson;
    const prompt = 'for i in 1 2 3 4 5; do echo still $i; sleep 1; done; sleep 600';
    const { id } = await client.runs.create({ prompt, agent: 'shell' });
    await vscode.viewAction('Refresh Runs').click();
    await vscode.run(prompt).click();
    const panel = await vscode.runPanel(prompt);
    await panel.frame.locator('.item-message', { hasText: 'still 1' }).waitFor();
    desk.network.stall();
    await panel.banner.filter({ hasText: 'Reconnecting' }).waitFor({ timeout: 60_000 });
    await desk.network.cut();
    await vscode.viewAction('Refresh Runs').click();
    await vscode.page.locator('.sidebar .message', { hasText: 'cannot be reached. Nothing listens there' }).waitFor();
    await camera.shoot('75-unreachable');
    desk.network.flow();
    await desk.network.mend();
    await vscode.viewAction('Refresh Runs').click();
    await vscode.page.locator('.sidebar .message').waitFor({ state: 'hidden' });
    await panel.banner.waitFor({ state: 'hidden', timeout: 60_000 });
    await panel.frame.locator('.item-message', { hasText: 'still 5' }).waitFor();
    await client.runs.cancel(id);
    await panel.shows('Canceled');
  });

  step(
    'an event of a type that is newer than the client is shown as it is, and the chain verifies over it',
    async () => {
      const { caisson } = desk;
      const { items } = await caisson.client.environments.list({});
      const begin = longRun(3).map(asNewEvent);
      const id = await seedRun(caisson, await ownerOf(caisson), begin, { environment: items[0]! });
      await addNewerEvent(caisson, id, 'agent.dream', { of: 'electric sheep' });
      await vscode.command('Caisson: Refresh Runs');
      await vscode.run('A run of 3 events').click();
      const panel = await vscode.runPanel('A run of 3 events');
      await panel.frame.getByText('agent.dream (not known to this version)').click();
      await panel.frame.getByText('electric sheep').waitFor();
      await panel.select('Audit');
      await panel.frame.getByText('Chain verified up to event 4').waitFor();
      await camera.shoot('72-newer-event');
    },
  );

  step(`${MANY.toLocaleString('en')} events: all of them arrive, and only what is in view is in the page`, async () => {
    const { caisson } = desk;
    const { items } = await caisson.client.environments.list({});
    const title = `A run of ${MANY} events`;
    await seedRun(caisson, await ownerOf(caisson), longRun(MANY).map(asNewEvent), { environment: items[0]! });
    await vscode.command('Caisson: Refresh Runs');
    await vscode.run(title).click();
    const panel = await vscode.runPanel(title);
    await panel.frame.locator('#tab-audit .count', { hasText: MANY.toLocaleString('en') }).waitFor({ timeout: 60_000 });
    for (const tab of ['Transcript', 'Audit', 'Egress', 'Processes'] as const) {
      await panel.select(tab);
      const list = panel.frame.locator('.list:visible');
      await list.locator('.row:not(.head)').first().waitFor();
      for (const part of [0.2, 0.5, 0.9, 0]) {
        await list.evaluate((element, to) => (element.scrollTop = to * element.scrollHeight), part);
        await list.locator('.row:not(.head)').first().waitFor();
        expect(await list.evaluate((element) => element.querySelectorAll('*').length), tab).toBeLessThan(2500);
      }
    }
    await panel.select('Audit');
    await panel.frame.getByText(`Chain verified up to event ${MANY.toLocaleString('en')}`).waitFor({ timeout: 60_000 });
    await panel.filter('part-777');
    await panel.frame.locator('.table-count:visible', { hasText: `11 of ${MANY.toLocaleString('en')}` }).waitFor();
    await camera.shoot('73-many-events');
    // The panel comes back from being hidden with everything, from where it was.
    await vscode.command('File: New Untitled Text File');
    await vscode.command('View: Close Editor');
    const again = await vscode.runPanel(title);
    await again.frame.locator('#tab-audit .count', { hasText: MANY.toLocaleString('en') }).waitFor({ timeout: 60_000 });
  });

  step('the output channel tells all of it again, without a key', async () => {
    await vscode.command('Caisson: Show Output');
    const output = vscode.page.locator('.output-view-container, .panel .output-view');
    await output.locator('.view-line', { hasText: 'Signed in to' }).first().waitFor();
    expect(await output.innerText()).not.toMatch(/csn_live_[0-9a-f]{8}/);
    await camera.shoot('76-output');
  });

  step('leaves nothing behind', async () => {
    await expect.poll(() => leftovers(desk.caisson), SOON).toEqual([]);
  });
});

function asNewEvent({ type, actor, data }: ReturnType<typeof longRun>[number]): NewEvent {
  return { type, actor, data } as NewEvent;
}
