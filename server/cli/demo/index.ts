import type { Command } from 'commander';
import { demo } from './demo.ts';

export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('Set this machine up and show one run: an agent mends a bug in a sealed sandbox')
    .option('--json', 'end with one JSON line on stdout; everything else goes to stderr', false)
    .addHelpText(
      'after',
      '\nThe demo needs root on Debian the first time, starts a server of its own in a temporary folder, and removes it at the end.',
    )
    .action(async (flags: { json: boolean }) => {
      process.exitCode = await demo({ json: flags.json });
    });
}
