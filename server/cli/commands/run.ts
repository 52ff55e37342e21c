import type { Command } from 'commander';
import type { Client } from '../../../shared/client/client.ts';
import type { RunView } from '../../../shared/run/reduce.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';
import type { SourceFlags } from '../source.ts';
import type { Terminal } from '../terminal.ts';

interface Flags extends SourceFlags {
  readonly agent?: string;
  readonly env?: string;
  readonly title?: string;
  readonly interactive: boolean;
  readonly json: boolean;
  readonly detach: boolean;
  readonly verbose: boolean;
}

const EXAMPLES = `
Examples:
  $ caisson run 'npm test'                                  the shell agent runs a script on this folder
  $ caisson run --agent claude 'Make the failing test pass' a coding agent works on this folder
  $ caisson run --repo https://github.com/o/p --ref main 'make check'
  $ caisson run --no-source --json 'uname -a' | jq .type
  $ git diff | caisson run --agent claude -                 the prompt comes from stdin
  $ caisson apply last                                      puts the result into the working tree

The folder's uncommitted and untracked files go with it; what .gitignore names stays here.
Ctrl-C cancels the run and waits for its end; a second Ctrl-C leaves at once.
Exit codes: 0 the run succeeded, 1 it did not, 2 usage, 3 the server cannot be reached or refuses, 130 interrupted.`;

export function registerRun(program: Command, bind: Bind): void {
  program
    .command('run')
    .summary('Start a run and follow it to its end')
    .description('Starts a run in a sandbox of its own and follows it to its end.')
    .argument('<prompt...>', 'what the agent is to do; - reads it from stdin')
    .option('-a, --agent <name>', 'who works: shell (default), claude, codex, …')
    .option('-e, --env <name>', 'environment to work in (default: default)')
    .option('-r, --repo <path|url>', 'folder to upload, or git URL to clone (default: the current folder)')
    .option('--ref <name>', 'branch, tag or commit instead of the working tree')
    .option('--no-source', 'start with an empty workspace')
    .option('-i, --interactive', 'wait for further messages after each turn', false)
    .option('-t, --title <text>', 'a name for lists')
    .option('-d, --detach', 'print the run’s id and do not follow it', false)
    .option('--json', 'print events as JSON lines, the outcome last', false)
    .option('-v, --verbose', 'show every event', false)
    .addHelpText('after', EXAMPLES)
    .action(bind(runAction));
}

async function runAction(context: CommandContext, words: string[], flags: Flags): Promise<number> {
  const { terminal, signal } = context;
  const { chooseSource, provideSource } = await import('../source.ts');
  const choice = chooseSource(flags, terminal.cwd);
  const fromStdin = words.length === 1 && words[0] === '-';
  const prompt = fromStdin ? await readPrompt(terminal, flags.interactive) : words.join(' ');
  const client = await context.client();
  const source = await provideSource(choice, client, terminal, signal);
  signal.throwIfAborted();
  // Not aborted half-way: the run could have begun without anybody knowing its id.
  const run = await client.runs.create({
    prompt,
    source,
    interactive: flags.interactive,
    ...(flags.agent !== undefined && { agent: flags.agent }),
    ...(flags.env !== undefined && { environment: flags.env }),
    ...(flags.title !== undefined && { title: flags.title }),
  });
  if (flags.detach) {
    await terminal.out(flags.json ? JSON.stringify({ runId: run.id, state: run.state }) : run.id);
    return EXIT.succeeded;
  }
  terminal.note(terminal.notePaint('dim', `Run ${run.id}`));
  return follow(
    context,
    client,
    { id: run.id, start: run.createdAt, readsInput: flags.interactive && !fromStdin },
    flags,
  );
}

async function readPrompt(terminal: Terminal, interactive: boolean): Promise<string> {
  const [{ readAll }, { CaissonError }] = await Promise.all([
    import('../terminal.ts'),
    import('../../../shared/protocol/errors.ts'),
  ]);
  if (interactive)
    throw new CaissonError(
      'invalid_request',
      'With --interactive stdin is for the messages, so the prompt cannot be "-".',
    );
  return (await readAll(terminal.stdin, 400_000)).trimEnd();
}

async function follow(
  { terminal, signal }: CommandContext,
  client: Client,
  run: { id: string; start: string; readsInput: boolean },
  flags: Pick<Flags, 'json' | 'verbose'>,
): Promise<number> {
  const [{ watchRun, outcomeLine, exitCodeOf }, { Conversation }] = await Promise.all([
    import('../watch.ts'),
    import('../conversation.ts'),
  ]);
  // The first Ctrl-C asks the server; what ends the loop is the run's own end, so that nobody is left in doubt.
  const cancel = () => {
    terminal.note(terminal.notePaint('warn', 'Canceling the run. Ctrl-C again leaves without waiting for its end.'));
    client.runs.cancel(run.id).catch((error: unknown) => {
      terminal.note(`The run could not be canceled: ${error instanceof Error ? error.message : String(error)}`);
    });
  };
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  const conversation = new Conversation(client, terminal, run.readsInput);
  try {
    const view = await watchRun(client, terminal, run.id, {
      ...flags,
      start: run.start,
      // Not the command's signal: see above.
      signal: new AbortController().signal,
      onEvent: (_event, view) => conversation.follow(view),
    });
    if (flags.json) await terminal.out(outcomeLine(view));
    else await summarize(terminal, view);
    return signal.aborted ? EXIT.interrupted : exitCodeOf(view.state);
  } finally {
    signal.removeEventListener('abort', cancel);
    await conversation.end();
  }
}

async function summarize(terminal: Terminal, view: RunView): Promise<void> {
  const [{ formatMs, plural }, { shortId }] = await Promise.all([
    import('../output/format.ts'),
    import('../run-ref.ts'),
  ]);
  const took =
    view.createdAt && view.endedAt ? ` in ${formatMs(Date.parse(view.endedAt) - Date.parse(view.createdAt))}` : '';
  const good = view.state === 'succeeded';
  const id = shortId(view.runId);
  await terminal.out('');
  await terminal.out(
    `${terminal.paint(good ? 'good' : 'bad', view.state.replace('_', ' '))}${took}: ${plural(view.lastSeq, 'event')}, ` +
      `hash chain verified; network ${view.egress.allowed} allowed, ${view.egress.denied} denied; ` +
      plural(view.processes, 'process', 'processes'),
  );
  if (view.patch) {
    await terminal.out(
      `${plural(view.patch.files, 'file')} changed: \`caisson patch ${id}\` shows, \`caisson apply ${id}\` takes over`,
    );
  }
}
