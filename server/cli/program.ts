import { Command, Help } from 'commander';
import type { Bind } from './command.ts';
import { registerAgents } from './commands/agents.ts';
import { registerApply } from './commands/apply.ts';
import { registerAudit } from './commands/audit.ts';
import { registerControl } from './commands/control.ts';
import { registerEnv } from './commands/env.ts';
import { registerKey } from './commands/key.ts';
import { registerLogs } from './commands/logs.ts';
import { registerRun } from './commands/run.ts';
import { registerRuns } from './commands/runs.ts';

/** The commands that talk to a server; the ones that are a server join in main.ts. */
export function buildProgram(version: string, bind: Bind): Command {
  const program = new Command('caisson')
    .description('Runs coding agents in sealed gVisor sandboxes, with proof of what they did.')
    .version(version, '-V, --version')
    .showHelpAfterError('(--help says more)')
    .showSuggestionAfterError()
    .configureHelp({
      // That a flag is off unless it is given goes without saying.
      optionDescription: (option) =>
        option.defaultValue === false ? option.description : new Help().optionDescription(option),
    })
    // Usage errors are thrown, so that main.ts alone decides how the program ends. Subcommands inherit this.
    .exitOverride()
    .addHelpText(
      'after',
      `
Settings: CAISSON_URL (default http://127.0.0.1:7480) and CAISSON_API_KEY, or ~/.caisson/credentials.json, which the
server writes on its first start on this machine. NO_COLOR turns colours off, CAISSON_DEBUG=1 shows stacks.

First steps:
  $ sudo caisson setup        prepares Docker, gVisor and the sandbox image
  $ caisson serve             starts the server
  $ caisson run 'npm test'    runs something in a sandbox, on the current folder`,
    );
  registerRun(program, bind);
  registerRuns(program, bind);
  registerLogs(program, bind);
  registerControl(program, bind);
  registerApply(program, bind);
  registerAgents(program, bind);
  registerEnv(program, bind);
  registerKey(program, bind);
  registerAudit(program, bind);
  return program;
}
