import type { Command } from 'commander';
import { readEnv } from '../../config/env.ts';
import type { Check } from '../../setup/doctor/check.ts';
import { examine } from '../../setup/doctor/doctor.ts';

interface Flags {
  readonly json: boolean;
  readonly runtime?: string;
}

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check what a server on this machine needs, and say how to mend what is missing')
    .option('--json', 'one JSON object: { ok, checks }', false)
    .option('--runtime <name>', 'runtime entry to check (CAISSON_RUNTIME)')
    .action(async (flags: Flags) => {
      const env = readEnv(process.env);
      const checks = await examine({ runtime: flags.runtime ?? env.CAISSON_RUNTIME, dataDir: env.CAISSON_DATA_DIR });
      const ok = checks.every((check) => check.ok);
      process.stdout.write(flags.json ? `${JSON.stringify({ ok, checks })}\n` : report(checks));
      process.exitCode = ok ? 0 : 1;
    });
}

function report(checks: readonly Check[]): string {
  return checks
    .map((check) =>
      check.ok ? `✓ ${check.name}: ${check.found}\n` : `✗ ${check.name}: ${check.found}\n    mend: ${check.mend}\n`,
    )
    .join('');
}
