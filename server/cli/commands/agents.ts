import type { Command } from 'commander';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';

export function registerAgents(program: Command, bind: Bind): void {
  program
    .command('agents')
    .summary('List the agents that runs can use')
    .description('Lists the agents that runs can use, and whether the server has what they need.')
    .option('--json', 'print one JSON object a line', false)
    .addHelpText('after', '\nExamples:\n  $ caisson agents\n  $ sudo caisson setup --agent claude     installs one')
    .action(bind(list));
}

async function list({ terminal, client }: CommandContext, flags: { readonly json: boolean }): Promise<number> {
  const { items } = await (await client()).agents.list({ limit: 200 });
  if (flags.json) {
    for (const agent of items) await terminal.out(JSON.stringify(agent));
    return EXIT.succeeded;
  }
  const [{ formatTable }, { safeLine }] = await Promise.all([
    import('../output/format.ts'),
    import('../output/safe-text.ts'),
  ]);
  const rows = items.map((agent) => [
    agent.name,
    agent.available ? 'ready' : `not installed: caisson setup --agent ${agent.name}`,
    agent.builtIn ? 'built in' : 'own',
    safeLine([agent.provider, agent.model].filter(Boolean).join(' '), 40),
    safeLine(agent.description, 80),
  ]);
  for (const line of formatTable([['NAME', 'STATE', 'KIND', 'MODEL', 'DESCRIPTION'], ...rows]))
    await terminal.out(line);
  return EXIT.succeeded;
}
