import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';
import { activationTests, measured, realActivationTests } from './activation.ts';
import { manifestTests } from './manifest.ts';
import type { SuiteResults } from './results.ts';
import { secretsTests } from './secrets.ts';

/** What the extension host calls. The results go into the file that CAISSON_SUITE_RESULTS names. */
export function run(): Promise<void> {
  // What happens is told by events, below; nobody reads a report in the extension host's log.
  const mocha = new Mocha({ ui: 'tdd', timeout: 20_000, reporter: 'min' });
  mocha.suite.emit('pre-require', globalThis, '', mocha);
  manifestTests();
  activationTests();
  secretsTests();
  realActivationTests();
  const passed: string[] = [];
  const failed: SuiteResults['failed'][number][] = [];
  return new Promise((resolve) => {
    mocha
      .run(() => {
        const results: SuiteResults = { passed, failed, activateMs: measured.activateMs };
        writeFileSync(process.env['CAISSON_SUITE_RESULTS'] ?? '', JSON.stringify(results));
        resolve();
      })
      .on('pass', (test) => passed.push(test.fullTitle()))
      .on('fail', (test, error: Error) =>
        failed.push({ title: test.fullTitle(), error: error.stack ?? String(error) }),
      );
  });
}
