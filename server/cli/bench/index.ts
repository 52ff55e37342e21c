import type { Command } from 'commander';
import { bench, PARTS } from './bench.ts';

export function registerBench(program: Command): void {
  program
    .command('bench')
    .description('Measure speed and memory, as ratios against the bare parts in the same run')
    .argument('[part...]', `what to measure: ${PARTS.join(', ')} (default: everything)`)
    .option('--json', 'end with one JSON line on stdout; everything else goes to stderr', false)
    .addHelpText(
      'after',
      '\nAbsolute figures depend on the machine and on what else it does; the ratios are what to look at.',
    )
    .action(async (parts: string[], flags: { json: boolean }) => {
      process.exitCode = await bench(parts, flags);
    });
}
