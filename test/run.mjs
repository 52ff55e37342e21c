#!/usr/bin/env node
// `npm test`: installs what is missing, checks the code, then runs every test, the real sandbox included. The set-up of
// the machine (engine, gVisor, image, agent) is done by test/support/flow-setup.ts, which says what it does.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { prepare } from './prepare.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
prepare();

const check = spawnSync(process.execPath, [`${root}test/check.mjs`], { cwd: root, stdio: 'inherit' });
const tests = spawnSync(
  `${root}node_modules/.bin/vitest`,
  ['run', '--config', 'test/vitest.config.ts', ...process.argv.slice(2)],
  {
    cwd: root,
    stdio: 'inherit',
  },
);
if (check.status !== 0) console.log('`npm run check` failed: see above.');
process.exitCode = check.status === 0 && tests.status === 0 ? 0 : 1;
