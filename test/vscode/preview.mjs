#!/usr/bin/env node
// Looks at the webviews without VS Code: bundles them, opens them in Chromium under the CSP and with the variables of
// three themes, feeds a recorded run, and writes pictures to test/vscode/screenshots/preview-*.png. Then it feeds
// 100,000 events and scrolls, and uses the page as a person would.
// Usage: node test/vscode/preview.mjs [--pictures | --long | --use]
import { build } from 'esbuild';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { webviewBuild } from '../../webview/build.mjs';
import { themes } from './preview-themes.mjs';
import { useRunPanel } from './preview-use.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const shots = join(here, 'screenshots');
const folder = await mkdtemp(join(tmpdir(), 'caisson-preview-'));
const only = process.argv[2];

async function samples() {
  const { outputFiles } = await build({
    entryPoints: [join(here, '../unit/webview/sample-run.ts'), join(here, '../unit/webview/sample-history.ts')],
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    outdir: folder,
  });
  const modules = await Promise.all(
    outputFiles.map(({ text }) => import(`data:text/javascript;base64,${Buffer.from(text).toString('base64')}`)),
  );
  return Object.assign({}, ...modules);
}

/** The document that the extension host makes, and in place of VS Code a stub that records what the page says. */
function html(page, theme) {
  const variables = Object.entries(theme.variables).map(([name, value]) => `--vscode-${name}: ${value};`);
  const csp =
    "default-src 'none'; style-src 'self' 'nonce-n'; script-src 'nonce-n'; require-trusted-types-for 'script'; trusted-types fast-html";
  return `<!DOCTYPE html><html lang="en"><head><meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${csp}">
<style nonce="n">:root { ${variables.join(' ')} }</style><link rel="stylesheet" href="/${page}.css">
<script nonce="n">
  window.said = []; let state = JSON.parse(sessionStorage.getItem('state') ?? 'null') ?? undefined;
  document.addEventListener('securitypolicyviolation', (e) => (window.violations ??= []).push(e.violatedDirective + ' ' + e.blockedURI + ' ' + e.sourceFile + ':' + e.lineNumber));
  window.acquireVsCodeApi = () => ({
    postMessage: (m) => window.said.push(m), getState: () => state,
    setState: (to) => { state = to; sessionStorage.setItem('state', JSON.stringify(to)); },
  });
</script></head>
<body class="${theme.kind}" data-vscode-theme-kind="${theme.kind}"><div id="app"></div><script nonce="n" src="/${page}.js"></script></body></html>`;
}

const types = { html: 'text/html', css: 'text/css', js: 'text/javascript' };
const server = createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://x');
  const [, page, theme] = /^\/(run|history)\/(\w+)$/.exec(pathname) ?? [];
  const answer = (type, body) => response.writeHead(200, { 'content-type': types[type] }).end(body);
  if (page) return answer('html', html(page, themes[theme]));
  return readFile(join(folder, pathname.slice(1))).then(
    (body) => answer(pathname.endsWith('.css') ? 'css' : 'js', body),
    () => response.writeHead(404).end(),
  );
});

const { metafile } = await build(webviewBuild({ outdir: folder }));
for (const [name, { bytes }] of Object.entries(metafile.outputs)) console.log(`${name.split('/').at(-1)} ${bytes}`);
const { sampleRun, longRun, SAMPLE_RUN, sampleHistory } = await samples();
await mkdir(shots, { recursive: true });
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const origin = `http://127.0.0.1:${server.address().port}`;
const flags =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags.split(' ') });
const problems = [];

async function open(page, theme, size = { width: 1100, height: 820 }) {
  const tab = await browser.newPage({ viewport: size });
  tab.on('pageerror', (error) => problems.push(`${page} ${theme}: ${error.stack}`));
  tab.on('console', (message) => message.type() === 'error' && problems.push(`${page} ${theme}: ${message.text()}`));
  await tab.goto(`${origin}/${page}/${theme}`);
  return tab;
}
const tell = (tab, ...messages) =>
  tab.evaluate((list) => list.forEach((data) => window.postMessage(data, '*')), messages);
const batches = (events) =>
  Array.from({ length: Math.ceil(events.length / 1000) }, (_, i) => ({
    type: 'events',
    json: JSON.stringify(events.slice(i * 1000, (i + 1) * 1000)),
  }));
const init = {
  type: 'init',
  strings: {},
  locale: 'en',
  runId: SAMPLE_RUN,
  server: 'https://x',
  title: 'Fix',
  readOnly: false,
  clockOffsetMs: 0,
};
const files = [
  { path: 'src/add.js', status: 'modified', insertions: 2, deletions: 2 },
  { path: 'test/add.test.js', status: 'added', insertions: 12, deletions: 0 },
  { path: 'src/arithmetic/subtract.js', previousPath: 'src/sub.js', status: 'renamed', insertions: 0, deletions: 0 },
  { path: 'docs/logo.png', status: 'modified', insertions: null, deletions: null },
  { path: 'old.txt', status: 'deleted', insertions: 0, deletions: 1 },
];
const changes = {
  type: 'changes',
  state: 'ready',
  files,
  actions: ['diff', 'apply', 'checkout', 'save_patch'],
  note: 'The workspace has changed since the run began: applying may leave conflicts.',
};
const shoot = (tab, name) => tab.screenshot({ path: join(shots, `preview-${name}.png`) });
const settle = (tab) => tab.waitForTimeout(250);

async function pictures(theme) {
  const tab = await open('run', theme);
  const waiting = sampleRun();
  await tell(tab, init, { type: 'connection', state: 'live' }, ...batches(waiting), {
    type: 'caught_up',
    seq: waiting.length,
  });
  await settle(tab);
  await shoot(tab, `run-approval-${theme}`);
  await tab.locator('.list[role=feed]').evaluate((list) => (list.scrollTop = 0));
  await settle(tab);
  await shoot(tab, `run-top-${theme}`);
  const ended = sampleRun({ ended: true }).slice(waiting.length);
  await tell(tab, ...batches(ended), changes);
  await settle(tab);
  await tab.getByRole('button', { name: 'Latest' }).click();
  await settle(tab);
  await shoot(tab, `run-ended-${theme}`);
  for (const name of ['Changes', 'Egress', 'Processes', 'Audit']) {
    await tab.getByRole('tab', { name }).click();
    await settle(tab);
    if (name === 'Audit') await tab.locator('.audit-table .disclosure').nth(3).click();
    await settle(tab);
    await shoot(tab, `run-${name.toLowerCase()}-${theme}`);
  }
  await tell(tab, { type: 'connection', state: 'reconnecting' });
  await tab.getByRole('tab', { name: 'Transcript' }).click();
  await tab.setViewportSize({ width: 460, height: 700 });
  await settle(tab);
  await shoot(tab, `run-narrow-${theme}`);
  problems.push(...(await tab.evaluate(() => window.violations ?? [])));
  problems.push(...(await tab.evaluate(() => window.said.filter((m) => m.type === 'problem').map((m) => m.message))));
  await tab.close();

  const history = await open('history', theme, { width: 1300, height: 700 });
  await tell(history, { type: 'init', strings: {}, locale: 'en', ...sampleHistory.names });
  await settle(history);
  const { request } = await history.evaluate(() => window.said.findLast((m) => m.type === 'query'));
  await tell(history, { type: 'rows', request, rows: sampleHistory.rows, nextCursor: 'x' });
  await settle(history);
  await shoot(history, `history-${theme}`);
  problems.push(...(await history.evaluate(() => window.violations ?? [])));
  await history.close();
}

async function long(count) {
  const tab = await open('run', 'dark');
  const events = longRun(count);
  await tell(tab, init, { type: 'connection', state: 'live' });
  // Into the page first: what is measured is the page, not the way there.
  await tab.evaluate(() => (window.recorded = []));
  for (const batch of batches(events)) await tab.evaluate((message) => window.recorded.push(message), batch);
  const started = performance.now();
  await tab.evaluate(() => {
    for (const message of window.recorded) window.postMessage(message, '*');
    window.recorded = undefined;
  });
  await tell(tab, { type: 'caught_up', seq: count });
  await tab.locator(`.count:text-is("${count.toLocaleString('en')}")`).waitFor({ timeout: 120_000 });
  console.log(`${count} events taken in after ${Math.round(performance.now() - started)} ms`);
  for (const name of ['Transcript', 'Audit', 'Egress', 'Processes']) {
    await tab.getByRole('tab', { name }).click();
    await tab.waitForTimeout(1500);
    const list = tab.locator('.list:visible');
    const measured = await list.evaluate(async (element) => {
      const frames = [];
      let most = 0;
      let last = performance.now();
      for (let i = 0; i < 120; i++) {
        element.scrollTop = i < 60 ? (element.scrollHeight * i) / 60 : element.scrollTop - 180;
        await new Promise(requestAnimationFrame);
        frames.push(performance.now() - last);
        last = performance.now();
        most = Math.max(most, element.querySelectorAll('*').length);
      }
      frames.sort((a, b) => a - b);
      const blank = element.querySelectorAll('.row:not(.head)').length === 0;
      return { most, median: frames[60], p95: frames[114], worst: frames[119], height: element.scrollHeight, blank };
    });
    console.log(
      name,
      JSON.stringify(measured, (_, value) => (typeof value === 'number' ? Math.round(value * 10) / 10 : value)),
    );
    if (measured.blank || measured.most > 2500) problems.push(`${name}: ${JSON.stringify(measured)}`);
  }
  await tab.getByRole('tab', { name: 'Audit' }).click();
  await tab.locator('.chain.tone-good').waitFor({ timeout: 60_000 });
  console.log(
    `chain verified after ${Math.round(performance.now() - started)} ms: ${await tab.locator('.chain').textContent()}`,
  );
  const heap = await tab.evaluate(() => performance.memory.usedJSHeapSize);
  console.log(`heap ${Math.round(heap / 1e6)} MB`);
  const filter = tab.locator('vscode-text-field:visible input');
  const typed = performance.now();
  await filter.fill('part-777');
  await tab.locator('.table-count:visible', { hasText: ' of ' }).waitFor();
  console.log(
    `filtered after ${Math.round(performance.now() - typed)} ms: ${await tab.locator('.table-count:visible').textContent()}`,
  );
  problems.push(...(await tab.evaluate(() => window.said.filter((m) => m.type === 'problem').map((m) => m.message))));
  await tab.close();
}

try {
  const wanted = (name) => only === undefined || only === name;
  if (wanted('--use')) await useRunPanel({ open, tell, batches, init, sampleRun });
  if (wanted('--pictures')) for (const theme of Object.keys(themes)) await pictures(theme);
  if (wanted('--long')) await long(100_000);
} finally {
  await browser.close();
  server.close();
  await rm(folder, { recursive: true, force: true });
}
for (const problem of problems) console.error(`✗ ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
