import type { Command } from 'commander';
import type { Client } from '../../../shared/client/client.ts';
import type { Run } from '../../../shared/protocol/rest.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';

const RUN = 'id, a part of it, or last';

/** The commands that act on a run that is under way. */
export function registerControl(program: Command, bind: Bind): void {
  const simple = (name: string, summary: string, done: string, act: (client: Client, run: Run) => Promise<void>) =>
    program
      .command(name)
      .summary(summary)
      .description(`${summary}.`)
      .argument('<run>', RUN)
      .addHelpText('after', `\nExamples:\n  $ caisson ${name} last\n  $ caisson ${name} 4k2m9xqa`)
      .action(
        bind(async (context, text: string) => {
          const { client, run } = await target(context, text);
          await act(client, run);
          context.terminal.note(`${done} ${run.id}`);
          return EXIT.succeeded;
        }),
      );

  simple('cancel', 'Cancel a run', 'Canceling', (client, run) => client.runs.cancel(run.id));
  simple('pause', 'Pause a run; its time limit stands still', 'Paused', (client, run) => client.runs.pause(run.id));
  simple('resume', 'Go on with a paused run', 'Resumed', (client, run) => client.runs.resume(run.id));
  simple('finish', 'End an interactive run, keeping its result', 'Finishing', (client, run) =>
    client.runs.finish(run.id),
  );

  program
    .command('send')
    .summary('Send a message to a run that waits for one')
    .description('Sends a message to a run that waits for one.')
    .argument('<run>', RUN)
    .argument('<text...>', 'the message; - reads it from stdin')
    .addHelpText(
      'after',
      `\nExamples:\n  $ caisson send last 'Now the linter, please'\n  $ caisson send last - < notes.txt`,
    )
    .action(bind(send));

  program
    .command('approve')
    .summary('Answer what a run waits to be allowed')
    .description('Answers what a run waits to be allowed. Without an approval id: the only one that is pending.')
    .argument('<run>', RUN)
    .argument('[approval]', 'id of the approval')
    .option('--reject', 'do not allow it', false)
    .addHelpText('after', `\nExamples:\n  $ caisson approve last\n  $ caisson approve last apr_01jx --reject`)
    .action(bind(approve));
}

async function target(context: CommandContext, text: string): Promise<{ client: Client; run: Run }> {
  const [client, { findRun }] = await Promise.all([context.client(), import('../run-ref.ts')]);
  return { client, run: await findRun(client, text) };
}

async function send(context: CommandContext, text: string, words: string[]): Promise<number> {
  const { client, run } = await target(context, text);
  const { readAll } = await import('../terminal.ts');
  const fromStdin = words.length === 1 && words[0] === '-';
  const message = fromStdin ? (await readAll(context.terminal.stdin, 400_000)).trimEnd() : words.join(' ');
  await client.runs.sendMessage(run.id, message);
  return EXIT.succeeded;
}

async function approve(
  context: CommandContext,
  text: string,
  approval: string | undefined,
  flags: { readonly reject: boolean },
): Promise<number> {
  const { client, run } = await target(context, text);
  const { CaissonError } = await import('../../../shared/protocol/errors.ts');
  const [only, ...others] = run.pendingApprovals;
  const id = approval ?? only;
  if (id === undefined) throw new CaissonError('conflict', `Run ${run.id} waits for no approval; it is ${run.state}.`);
  if (approval === undefined && others.length > 0)
    throw new CaissonError(
      'invalid_request',
      `Run ${run.id} waits for several: ${run.pendingApprovals.join(', ')}. Name one.`,
    );
  await client.runs.approve(run.id, id, { decision: flags.reject ? 'reject' : 'allow' });
  context.terminal.note(`${flags.reject ? 'Rejected' : 'Allowed'} ${id}`);
  return EXIT.succeeded;
}
