#!/usr/bin/env node
// `npm test`: installs what is missing, checks the code, then runs every test, real sandboxes and a real VS Code included.
// The machine itself (engine, gVisor, image, agent, workbench) is set up by the projects' global set-ups in
// test/vitest.config.ts, which say what they do. Ends with one line of counts, whatever happened.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
prepare();

const check = spawnSync(process.execPath, [join(root, 'test/check.mjs')], { cwd: root, stdio: 'inherit' });
if (check.status !== 0) console.log('`npm run check` failed: see above.');

const folder = mkdtempSync(join(tmpdir(), 'caisson-results-'));
const results = join(folder, 'results.json');
const tests = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  [
    'run',
    '--config',
    'test/vitest.config.ts',
    '--reporter',
    'default',
    '--reporter',
    'json',
    '--outputFile',
    results,
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit' },
);
const counts = countsOf(results);
rmSync(folder, { recursive: true, force: true });
process.exitCode = check.status === 0 && tests.status === 0 && counts.passed > 0 ? 0 : 1;
if (check.status !== 0) console.log('`npm run check` failed: see the beginning.');
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);

/** @param {string} file what vitest's JSON reporter wrote, if it came so far */
function countsOf(file) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests } = JSON.parse(readFileSync(file, 'utf8'));
    // A run whose files could not even be loaded has failed without a failing test.
    return { passed: numPassedTests, failed: numFailedTests || (tests.status === 0 ? 0 : 1), skipped: numPendingTests };
  } catch (error) {
    console.log(`The results could not be read: ${String(error)}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}
