#!/usr/bin/env node
// Collects every text that is shown to the user into l10n/bundle.l10n.json, the template for translators. Texts must
// be literals: what is put together at run time cannot be translated.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const CALL = { extension: /\bl10n\s*\.t\(\s*/g, webview: /(?<![\w.])t\(\s*/g };
const LITERAL = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/y;

/** @returns the texts, and the places of calls whose text is no literal */
export function collect(folder) {
  const texts = new Set();
  const computed = [];
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !entry.name.endsWith('.ts')) continue;
    const source = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    for (const call of source.matchAll(CALL[folder])) {
      LITERAL.lastIndex = call.index + call[0].length;
      const literal = LITERAL.exec(source);
      if (literal) texts.add(unescape(literal[1] ?? literal[2]));
      else computed.push(`${entry.name}:${source.slice(0, call.index).split('\n').length}`);
    }
  }
  return { texts: [...texts], computed };
}

const unescape = (text) =>
  text.replace(/\\u\{?([0-9a-f]+)\}?|\\(.)/gi, (_, code, character) =>
    code ? String.fromCodePoint(Number.parseInt(code, 16)) : character === 'n' ? '\n' : character,
  );

export const bundleFile = `${root}l10n/bundle.l10n.json`;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const texts = [...new Set(['extension', 'webview'].flatMap((folder) => collect(folder).texts))].sort((a, b) =>
    a.localeCompare(b),
  );
  writeFileSync(bundleFile, `${JSON.stringify(Object.fromEntries(texts.map((text) => [text, text])), null, 2)}\n`);
  console.log(`${bundleFile}: ${texts.length} texts`);
}
