import { Option, type Command } from 'commander';
import type { Run } from '../../../shared/protocol/rest.ts';
import { RUN_STATES, type RunStateName } from '../../../shared/run/state.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';
import { parseCount, parseList } from '../options.ts';

interface Flags {
  readonly state?: RunStateName[];
  readonly env?: string;
  readonly text?: string;
  readonly limit: number;
  readonly json: boolean;
}

export function registerRuns(program: Command, bind: Bind): void {
  program
    .command('runs')
    .summary('List runs, newest first')
    .description('Lists runs, newest first.')
    .addOption(
      new Option('-s, --state <states>', `comma-separated: ${RUN_STATES.join(', ')}`).argParser(parseList(RUN_STATES)),
    )
    .option('-e, --env <name>', 'only runs in this environment')
    .option('--text <words>', 'only runs whose title or prompt has these words')
    .option('-n, --limit <number>', 'how many', parseCount(1, 10_000), 20)
    .option('--json', 'print one JSON object a line', false)
    .addHelpText(
      'after',
      `
Examples:
  $ caisson runs
  $ caisson runs --state running,waiting
  $ caisson runs --text 'flaky test' --json | jq -r .id`,
    )
    .action(bind(list));
}

async function list({ terminal, client }: CommandContext, flags: Flags): Promise<number> {
  const runs = await collect(await client(), flags);
  if (flags.json) {
    for (const run of runs) await terminal.out(JSON.stringify(run));
    return EXIT.succeeded;
  }
  if (runs.length === 0) {
    terminal.note('There is no such run. Start one with `caisson run`.');
    return EXIT.succeeded;
  }
  const [{ formatTable, formatMs }, { safeLine }, { shortId }] = await Promise.all([
    import('../output/format.ts'),
    import('../output/safe-text.ts'),
    import('../run-ref.ts'),
  ]);
  const took = (run: Run) =>
    run.startedAt ? formatMs((run.endedAt ? Date.parse(run.endedAt) : Date.now()) - Date.parse(run.startedAt)) : '';
  const rows = runs.map((run) => [
    shortId(run.id),
    run.waitingFor ? `${run.state}: ${run.waitingFor}` : run.state,
    run.createdAt.slice(0, 16).replace('T', ' '),
    took(run),
    safeLine(run.agent.name, 20),
    safeLine(run.environment.name, 20),
    safeLine(run.title, 60),
  ]);
  const [heading, ...lines] = formatTable([
    ['ID', 'STATE', 'CREATED (UTC)', 'TOOK', 'AGENT', 'ENVIRONMENT', 'TITLE'],
    ...rows,
  ]);
  await terminal.out(terminal.paint('dim', heading!));
  for (const line of lines) await terminal.out(line);
  return EXIT.succeeded;
}

async function collect(client: Awaited<ReturnType<CommandContext['client']>>, flags: Flags): Promise<Run[]> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  while (runs.length < flags.limit) {
    const page = await client.runs.list({
      limit: Math.min(200, flags.limit - runs.length),
      ...(flags.state && { state: flags.state }),
      ...(flags.env !== undefined && { environment: flags.env }),
      ...(flags.text !== undefined && { text: flags.text }),
      ...(cursor !== undefined && { cursor }),
    });
    runs.push(...page.items);
    cursor = page.nextCursor;
    if (cursor === undefined) break;
  }
  return runs;
}
