import type { Command } from 'commander';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { Client } from '../../../shared/client/client.ts';
import type { Run } from '../../../shared/protocol/rest.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';

interface Flags {
  readonly check: boolean;
  readonly branch?: string;
}

export function registerApply(program: Command, bind: Bind): void {
  program
    .command('apply')
    .summary('Put the result of a run into the working tree')
    .description('Applies the patch of a run to the working tree, or creates a branch with its commits.')
    .argument('<run>', 'id, a part of it, or last')
    .option('--check', 'only say whether it would apply', false)
    .option('-b, --branch <name>', 'create this branch with the run’s commits; the working tree stays as it is')
    .addHelpText(
      'after',
      `
Examples:
  $ caisson apply last --check
  $ caisson apply last
  $ caisson apply last --branch fix-the-test && git switch fix-the-test`,
    )
    .action(bind(apply));

  program
    .command('patch')
    .summary('Print the patch of a run')
    .description('Prints the patch of a run, as git makes it.')
    .argument('<run>', 'id, a part of it, or last')
    .addHelpText('after', '\nExamples:\n  $ caisson patch last | less\n  $ caisson patch last > fix.patch')
    .action(bind(patch));
}

async function changedRun(
  context: CommandContext,
  text: string,
): Promise<{ client: Client; run: Run; changed: boolean }> {
  const [client, { findRun }] = await Promise.all([context.client(), import('../run-ref.ts')]);
  const run = await findRun(client, text);
  const { isFinal } = await import('../../../shared/run/state.ts');
  if (run.patch === undefined && !isFinal(run.state)) {
    const { CaissonError } = await import('../../../shared/protocol/errors.ts');
    throw new CaissonError(
      'conflict',
      `Run ${run.id} has no result yet; it is ${run.state}. Follow it with \`caisson logs ${run.id} -f\`.`,
    );
  }
  return { client, run, changed: Boolean(run.patch) };
}

async function patch(context: CommandContext, text: string): Promise<number> {
  const { client, run, changed } = await changedRun(context, text);
  if (changed) {
    const bytes = await client.runs.patch(run.id);
    const { paint } = context.terminal;
    // What a person reads on a terminal has to be safe for it; what a program reads has to be exact.
    if (process.stdout.isTTY) await context.terminal.out(await shownPatch(bytes, paint));
    else await context.terminal.write(bytes);
  } else context.terminal.note(`Run ${run.id} changed nothing.`);
  return EXIT.succeeded;
}

async function shownPatch(bytes: Uint8Array, paint: CommandContext['terminal']['paint']): Promise<string> {
  const { safeText } = await import('../output/safe-text.ts');
  const tone = (line: string) =>
    /^(diff|index|---|\+\+\+) /.test(line)
      ? 'strong'
      : line.startsWith('+')
        ? 'good'
        : line.startsWith('-')
          ? 'bad'
          : 'plain';
  const lines = safeText(new TextDecoder().decode(bytes)).trimEnd().split('\n');
  return lines.map((line) => paint(tone(line), line)).join('\n');
}

async function apply(context: CommandContext, text: string, flags: Flags): Promise<number> {
  const { terminal } = context;
  const { client, run, changed } = await changedRun(context, text);
  if (!changed) {
    terminal.note(`Run ${run.id} changed nothing, so there is nothing to apply.`);
    return EXIT.succeeded;
  }
  if (flags.branch !== undefined) return toBranch(context, client, run, flags.branch);

  const [{ applyPatch }, { plural }, { safeLine }] = await Promise.all([
    import('../git/apply.ts'),
    import('../output/format.ts'),
    import('../output/safe-text.ts'),
  ]);
  const files = plural(run.patch?.files ?? 0, 'file');
  const result = await applyPatch(await client.runs.patch(run.id), terminal.cwd, flags.check);
  if (result.outcome === 'applied') {
    terminal.note(terminal.notePaint('good', flags.check ? `It applies: ${files}.` : `Applied: ${files} changed.`));
    return EXIT.succeeded;
  }
  if (result.outcome === 'merged') {
    terminal.note(
      'The working tree has changed since the run began, so the patch was merged into it (git apply --3way).',
    );
    if (result.conflicts.length === 0) return EXIT.succeeded;
    terminal.note(
      terminal.notePaint('bad', `Conflicts to resolve: ${result.conflicts.map((path) => safeLine(path)).join(', ')}`),
    );
    return EXIT.failed;
  }
  terminal.note(
    `${terminal.notePaint('bad', 'Not applied; nothing was touched.')} The working tree has changed where the patch wants to, ` +
      `or is another project: ${safeLine(result.reason, 600)}\n` +
      'Commit or stash your changes to those files and try again, or take the run’s commits with --branch NAME.',
  );
  return EXIT.failed;
}

async function toBranch({ terminal }: CommandContext, client: Client, run: Run, branch: string): Promise<number> {
  const { fetchBranch } = await import('../git/apply.ts');
  const folder = await mkdtemp(join(tmpdir(), 'caisson-bundle-'));
  try {
    const file = join(folder, 'run.bundle');
    await pipeline(await client.runs.bundle(run.id), createWriteStream(file, { mode: 0o600 }));
    const { commit } = await fetchBranch(file, branch, terminal.cwd);
    terminal.note(`Created ${branch} at ${commit.slice(0, 12)}. Go there with \`git switch ${branch}\`.`);
    return EXIT.succeeded;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
