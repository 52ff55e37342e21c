import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { bundleFile, collect } from '../../../extension/build/l10n.mjs';
import { contextWords } from '../../../extension/runs/presentation.ts';
import { aRun } from '../../support/runs.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');
const item = z.object({ command: z.string(), when: z.string().optional() });
const manifest = z
  .object({
    main: z.string(),
    activationEvents: z.array(z.string()),
    extensionKind: z.array(z.string()),
    engines: z.object({ vscode: z.string() }),
    devDependencies: z.record(z.string(), z.string()),
    contributes: z.object({
      commands: z.array(z.object({ command: z.string() })),
      menus: z.record(z.string(), z.array(item)),
      keybindings: z.array(item),
      viewsWelcome: z.array(z.object({ contents: z.string() })),
      walkthroughs: z.array(z.object({ steps: z.array(z.object({ media: z.object({ svg: z.string() }) })) })),
      configuration: z.object({ properties: z.record(z.string(), z.unknown()) }),
    }),
  })
  .parse(JSON.parse(read('package.json')));
const { contributes } = manifest;
const commands = contributes.commands.map(({ command }) => command).toSorted();
const sources = readdirSync(join(root, 'extension'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => read(join('extension', file)));

describe('the manifest', () => {
  test('names the commands that are registered, no more and no less', () => {
    const registered = [...read('extension/commands/register.ts').matchAll(/^ {4}'(caisson\.\w+)': \{/gm)].map(
      ([, id]) => id!,
    );
    expect(registered.toSorted()).toEqual(commands);
  });

  test('menus, keys, welcome texts and sources only use commands that exist', () => {
    const used = [
      ...Object.values(contributes.menus)
        .flat()
        .map(({ command }) => command),
      ...contributes.keybindings.map(({ command }) => command),
      ...[...read('package.nls.json').matchAll(/command:(caisson\.\w+)\)/g)].map(([, id]) => id!),
      ...sources.flatMap((source) => [...source.matchAll(/executeCommand\(\s*'(caisson\.\w+)'/g)].map(([, id]) => id!)),
    ];
    expect(used.length).toBeGreaterThan(40);
    expect(used.filter((id) => !commands.includes(id))).toEqual([]);
  });

  test('context menus ask for words that runs have', () => {
    const asked = contributes.menus['view/item/context']!.flatMap(({ when = '' }) =>
      [...when.matchAll(/viewItem =~ \/ (\w+) \//g)].map(([, word]) => word!),
    );
    const patch = { files: 1, insertions: 1, deletions: 0, bytes: 1, sha256: '0'.repeat(64), paths: [] };
    const all = [
      aRun({ interactive: true, pendingApprovals: ['a'] }),
      aRun({ state: 'paused' }),
      aRun({ state: 'succeeded', patch }),
    ].map(contextWords);
    expect(new Set(asked).size).toBeGreaterThan(5);
    expect(asked.filter((word) => !all.some((words) => words.includes(` ${word} `)))).toEqual([]);
  });

  test('when clauses only use context keys that are set', () => {
    const when = Object.values(contributes.menus)
      .flat()
      .map((entry) => entry.when ?? '')
      .join(' ');
    const keys = new Set([...when.matchAll(/(?<![\w.])caisson\.(?!runs\b)\w+/g)].map(([key]) => key));
    expect(keys.size).toBeGreaterThan(2);
    expect([...keys].filter((key) => !sources.some((source) => source.includes(`setContext('${key}'`)))).toEqual([]);
  });

  test('every %text% exists, and every text is used', () => {
    const texts = Object.keys(JSON.parse(read('package.nls.json')) as object);
    const used = [...read('package.json').matchAll(/"%([\w.]+)%"/g)].map(([, key]) => key!);
    expect([...new Set(used)].toSorted()).toEqual(texts.toSorted());
  });

  test('every setting is read', () => {
    const settings = Object.keys(contributes.configuration.properties).map((key) => key.replace('caisson.', ''));
    const reader = read('extension/support/settings.ts');
    expect(settings.filter((key) => !reader.includes(`get('${key}')`))).toEqual([]);
  });

  test('activation is by view or command only, on the side of the workspace', () => {
    // VS Code derives views and commands by itself; of panels that it brings back after a reload it has to be told.
    const panels = ['onWebviewPanel:caisson.run', 'onWebviewPanel:caisson.history'];
    expect([manifest.activationEvents, manifest.extensionKind]).toEqual([panels, ['workspace']]);
  });

  test('the types are those of the oldest VS Code that is supported', () => {
    expect(manifest.engines.vscode).toBe(`^${manifest.devDependencies['@types/vscode']}`);
  });

  test('pictures exist', () => {
    const pictures = contributes.walkthroughs.flatMap(({ steps }) => steps.map(({ media }) => media.svg));
    expect(pictures.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });
});

describe('texts', () => {
  test('are literals, and all of them are in the translators’ template (node extension/build/l10n.mjs)', () => {
    const { texts, computed } = collect('extension');
    const template = JSON.parse(readFileSync(bundleFile, 'utf8')) as Record<string, string>;
    expect(texts.length).toBeGreaterThan(100);
    expect(computed).toEqual([]);
    expect(texts.filter((text) => !(text in template))).toEqual([]);
  });
});

test('what decides does not import vscode, so that it can be tested here', () => {
  const pure = [
    'runs/grouping',
    'runs/filter',
    'runs/run-store',
    'diff/apply-patch',
    'diff/results',
    'panels/run-feed',
  ];
  for (const name of pure) expect(read(`extension/${name}.ts`)).not.toMatch(/from 'vscode'/);
});
