import type { Command } from 'commander';
import type { ClientEvent } from '../../../shared/client/event.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT, Interrupted } from '../exit.ts';
import { collect, parseCount } from '../options.ts';

interface Flags {
  readonly follow: boolean;
  readonly after: number;
  readonly type?: string[];
  readonly json: boolean;
  readonly verbose: boolean;
}

export function registerLogs(program: Command, bind: Bind): void {
  program
    .command('logs')
    .summary('Print the events of a run')
    .description('Prints the events of a run: what the agent says, what the kernel saw, what the gateway decided.')
    .argument('<run>', 'id, a part of it, or last')
    .option('-f, --follow', 'go on until the run ends; its hash chain is verified on the way', false)
    .option('--after <seq>', 'only events after this one', parseCount(0, Number.MAX_SAFE_INTEGER), 0)
    .option('--type <type>', 'only this type or family, egress.* say (repeatable)', collect)
    .option('--json', 'print events as JSON lines, the outcome last', false)
    .option('-v, --verbose', 'show every event', false)
    .addHelpText(
      'after',
      `
Examples:
  $ caisson logs last
  $ caisson logs last --follow
  $ caisson logs 4k2m9xqa --type 'egress.*'
  $ caisson logs last --json --after 120 | jq .data`,
    )
    .action(bind(logs));
}

/** `egress.denied`, or the family `egress.*`. */
export function matchesType(type: string, wanted: readonly string[] | undefined): boolean {
  if (wanted === undefined) return true;
  return wanted.some((one) => (one.endsWith('.*') ? type.startsWith(one.slice(0, -1)) : type === one));
}

async function logs(context: CommandContext, text: string, flags: Flags): Promise<number> {
  const { terminal, signal } = context;
  const client = await context.client();
  const [{ findRun }, { eventPrinter, outcomeLine, watchRun }, { originalEvent }] = await Promise.all([
    import('../run-ref.ts'),
    import('../watch.ts'),
    import('../../../shared/client/event.ts'),
  ]);
  const run = await findRun(client, text);
  // Whoever asks for a type wants to see it, also where it is a detail otherwise.
  const options = { json: flags.json, verbose: flags.verbose || flags.type !== undefined, start: run.createdAt };
  if (flags.follow) {
    const print = (event: ClientEvent) => matchesType(originalEvent(event).type, flags.type);
    await watchRun(client, terminal, run.id, { ...options, after: flags.after, signal, print });
    if (signal.aborted) throw new Interrupted('interrupted');
  } else {
    const print = eventPrinter(terminal, options);
    const types = flags.type ? { types: flags.type } : {};
    for await (const event of client.runs.allEvents(run.id, { after: flags.after, signal, ...types }))
      await print(event);
  }
  if (flags.json) {
    const { state, failure } = await client.runs.get(run.id);
    await terminal.out(outcomeLine({ runId: run.id, state, ...(failure && { failure }) }));
  }
  return EXIT.succeeded;
}
