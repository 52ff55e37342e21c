import type { Command } from 'commander';
import { createInterface } from 'node:readline/promises';
import { knownAgentPacks } from '../../setup/agent-packs.ts';
import { CommandFailed } from '../../base/command.ts';
import type { Console } from '../../setup/run-steps.ts';
import { setUp } from '../../setup/setup.ts';
import { SetupError } from '../../setup/step.ts';

interface Flags {
  readonly yes: boolean;
  readonly dryRun: boolean;
  readonly runtime: string[];
  readonly agent: string[];
}

const RUNTIME_NAME = /^[a-z][a-z0-9-]{0,40}$/;

export function registerSetup(program: Command): void {
  program
    .command('setup')
    .description('Prepare this machine: Docker engine, gVisor, runtime entry, sandbox image, agents')
    .option('--yes', 'make the changes without asking', false)
    .option('--dry-run', 'say what would change, and change nothing', false)
    .option('--runtime <name>', 'runtime entry to register, one per server (repeatable; default: caisson)', collect, [])
    .option('--agent <name>', `agent to install (repeatable): ${knownAgentPacks().join(', ')}`, collect, [])
    .action(async (flags: Flags) => {
      process.exitCode = await run(flags);
    });
}

async function run(flags: Flags): Promise<number> {
  const runtimes = flags.runtime.length > 0 ? flags.runtime : ['caisson'];
  try {
    const bad = runtimes.find((name) => !RUNTIME_NAME.test(name));
    if (bad !== undefined)
      throw new SetupError(`«${bad}» is not a runtime name: lower-case letters, digits and dashes.`);
    const outcome = await setUp({ ...flags, runtimes, agents: flags.agent }, terminal());
    return outcome === 'declined' || outcome === 'by hand' ? 1 : 0;
  } catch (error) {
    if (!(error instanceof SetupError) && !(error instanceof CommandFailed)) throw error;
    process.stderr.write(`\n✗ ${error.message}\n`);
    return 1;
  }
}

function terminal(): Console {
  return {
    write: (text) => void process.stdout.write(text),
    interactive: process.stdout.isTTY,
    ...(process.stdin.isTTY ? { confirm } : {}),
  };
}

async function confirm(question: string): Promise<boolean> {
  const prompt = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${question} [y/N] `)).trim());
  } finally {
    prompt.close();
  }
}

function collect(value: string, previous: string[]): string[] {
  return [...previous, value];
}
