import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { makePackage } from '../../../extension/build/package.mjs';

let folder: string;
let made: { file: string; bytes: number };
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'caisson-package-test-'));
  made = await makePackage(folder);
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The names in a zip file's central directory (APPNOTE.TXT section 4.3.12). */
function entriesOf(zip: Buffer): string[] {
  const names: string[] = [];
  const end = zip.lastIndexOf('PK\u0005\u0006', undefined, 'latin1');
  let at = zip.readUInt32LE(end + 16);
  while (zip.readUInt32LE(at) === 0x02014b50) {
    const [name, extra, comment] = [28, 30, 32].map((field) => zip.readUInt16LE(at + field)) as [
      number,
      number,
      number,
    ];
    names.push(zip.toString('utf8', at + 46, at + 46 + name));
    at += 46 + name + extra + comment;
  }
  return names;
}

const ALLOWED = [
  /^extension\.vsixmanifest$/,
  /^\[Content_Types\]\.xml$/,
  /^extension\/(package\.json|package\.nls(\.[\w-]+)?\.json|readme\.md|LICENSE\.txt|changelog\.md)$/,
  /^extension\/l10n\/bundle\.l10n\.[\w-]+\.json$/,
  /^extension\/extension\/media\/[\w-]+\.(svg|png)$/,
  /^extension\/dist\/extension\/extension\.cjs$/,
  /^extension\/dist\/webview\/(run|history)\.(js|css)$/,
];

test('the package holds what it needs and nothing else', () => {
  const names = entriesOf(readFileSync(made.file));
  expect(names.filter((name) => !ALLOWED.some((pattern) => pattern.test(name)))).toEqual([]);
  for (const needed of [
    'extension.cjs',
    'run.js',
    'run.css',
    'history.js',
    'history.css',
    'package.nls.json',
    'caisson.svg',
  ])
    expect(names.some((name) => name.endsWith(`/${needed}`))).toBe(true);
});

test('the package is at most 400 KiB', () => {
  expect(made.bytes).toBeLessThanOrEqual(400 * 1024);
});

test('the extension is loaded without anything beside it but VS Code and Node', () => {
  const bundled = readFileSync(new URL('../../../dist/extension/extension.cjs', import.meta.url), 'utf8');
  const required = new Set([...bundled.matchAll(/\brequire\("([^"]+)"\)/g)].map(([, name]) => name!));
  expect([...required].filter((name) => !isBuiltin(name)).toSorted()).toEqual([
    // Helpers of `ws` that it does without.
    'bufferutil',
    'utf-8-validate',
    'vscode',
  ]);
});
