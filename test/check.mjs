#!/usr/bin/env node
// Everything that can be said about the code without running it: types, lint, format, boundaries and dead code.
// The boundary test is an ordinary unit test, so that it can assert that it saw files.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
prepare();

/** @type {[name: string, command: string, args: string[]][]} */
const steps = [
  ['types', 'tsc', ['-p', 'tsconfig.json', '--noEmit']],
  ['types of the extension', 'tsc', ['-p', 'extension', '--noEmit']],
  ['types of the webviews', 'tsc', ['-p', 'webview', '--noEmit']],
  ['lint', 'oxlint', ['--type-aware', '--deny-warnings']],
  ['format', 'prettier', ['--check', '--log-level', 'warn', '.']],
  [
    'boundaries',
    'vitest',
    [
      'run',
      '--config',
      'test/vitest.config.ts',
      '--project',
      'unit',
      'test/unit/boundaries.test.ts',
      '--reporter',
      'dot',
    ],
  ],
  ['dead code', 'knip', ['--no-progress']],
];

let failed = 0;
for (const [name, command, args] of steps) {
  const started = performance.now();
  const result = spawnSync(`${root}node_modules/.bin/${command}`, args, { cwd: root, encoding: 'utf8' });
  const ok = result.status === 0;
  console.log(`${ok ? '✓' : '✗'} ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
  if (!ok) {
    failed++;
    console.log(`${result.stdout}${result.stderr}${result.error ?? ''}`.trimEnd());
  }
}
process.exitCode = failed === 0 ? 0 : 1;
