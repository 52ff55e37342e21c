import { Option, type Command } from 'commander';
import { open, readFile } from 'node:fs/promises';
import type { Client } from '../../../shared/client/client.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';

const RUN = 'id, a part of it, or last';

export function registerAudit(program: Command, bind: Bind): void {
  const audit = program
    .command('audit')
    .summary('Verify and export the record of a run')
    .description('Verifies and exports the record of a run: its events, their hash chain and the signature.');
  audit
    .command('verify')
    .description(
      'Verifies a run’s hash chain and signature; with --file offline. Exit code 1 names the first bad event.',
    )
    .argument('[run]', RUN)
    .addOption(new Option('--file <export>', 'a file that `caisson audit export` wrote'))
    .option('--key <verifier key>', 'the server’s audit key that you trust, instead of the one in the record')
    .option('--json', 'print the result as JSON', false)
    .addHelpText(
      'after',
      `
Examples:
  $ caisson audit verify last
  $ caisson audit verify --file run.json --key 'caisson-audit+1f0c…+AR…'`,
    )
    .action(bind(verify));
  audit
    .command('export')
    .description('Writes a run’s events and proof into one JSON file.')
    .argument('<run>', RUN)
    .requiredOption('-o, --output <file>', 'where to; - for stdout')
    .addHelpText('after', '\nExamples:\n  $ caisson audit export last -o run.json')
    .action(bind(exportRun));
}

interface VerifyFlags {
  readonly file?: string;
  readonly key?: string;
  readonly json: boolean;
}

async function verify(context: CommandContext, text: string | undefined, flags: VerifyFlags): Promise<number> {
  const { terminal } = context;
  const [{ checkRecord }, { CaissonError }] = await Promise.all([
    import('../audit-check.ts'),
    import('../../../shared/protocol/errors.ts'),
  ]);
  if ((text === undefined) === (flags.file === undefined))
    throw new CaissonError(
      'invalid_request',
      'Name either a run or a file: `caisson audit verify RUN` or `--file EXPORT`.',
    );
  const { events, proof } = flags.file === undefined ? await fetchRecord(context, text!) : await readExport(flags.file);
  const result = checkRecord(events, proof, flags.key);
  if (flags.json) {
    await terminal.out(JSON.stringify(result));
  } else if (result.ok) {
    await terminal.out(
      terminal.paint('good', `Verified: ${result.events} events of ${result.runId} form one unbroken chain.`),
    );
    await terminal.out(`head       ${result.head}`);
    await terminal.out(`signed by  ${result.signedBy ?? 'nobody yet: the run goes on'}`);
    if (result.signedBy !== undefined && !result.keyPinned)
      terminal.note('The key came with the record. Compare it with the one that you know, or give that with --key.');
  } else {
    const where = result.seq === undefined ? '' : ` The first bad event is ${result.seq}.`;
    await terminal.out(terminal.paint('bad', `NOT verified: ${result.message}${where}`));
  }
  return result.ok ? EXIT.succeeded : EXIT.failed;
}

/** The proof first: a run that goes on has more events by the time they are read, and they are beyond its head. */
async function fetchRecord(context: CommandContext, text: string) {
  const [client, { findRun }, { originalEvent }] = await Promise.all([
    context.client(),
    import('../run-ref.ts'),
    import('../../../shared/client/event.ts'),
  ]);
  const run = await findRun(client, text);
  const proof = await client.runs.proof(run.id, { signal: context.signal });
  const events = [];
  for await (const event of eventsUpTo(client, run.id, proof.head.seq, context.signal))
    events.push(originalEvent(event));
  return { events, proof };
}

async function* eventsUpTo(client: Client, runId: string, seq: number, signal: AbortSignal) {
  for await (const event of client.runs.allEvents(runId, { signal })) {
    if (event.seq > seq) return;
    yield event;
  }
}

async function readExport(path: string) {
  const [{ runExport }, { CaissonError }] = await Promise.all([
    import('../audit-check.ts'),
    import('../../../shared/protocol/errors.ts'),
  ]);
  const refuse = (why: string) => new CaissonError('invalid_request', `${path} is not an export of a run: ${why}`);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw refuse(error instanceof Error ? error.message : String(error));
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw refuse('it is not JSON.');
  }
  const parsed = runExport.safeParse(json);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw refuse(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
}

async function exportRun(context: CommandContext, text: string, flags: { readonly output: string }): Promise<number> {
  const { terminal, signal } = context;
  const [client, { findRun }, { originalEvent }] = await Promise.all([
    context.client(),
    import('../run-ref.ts'),
    import('../../../shared/client/event.ts'),
  ]);
  const run = await findRun(client, text);
  const proof = await client.runs.proof(run.id, { signal });
  const toFile = flags.output !== '-';
  // A record holds prompts and output, which are nobody else's business.
  const file = toFile ? await open(flags.output, 'w', 0o600) : undefined;
  const write = async (line: string) => (file ? void (await file.write(`${line}\n`)) : terminal.out(line));
  try {
    const head = { version: 1, runId: run.id, exportedAt: new Date().toISOString(), proof };
    await write(`${JSON.stringify(head).slice(0, -1)},"events":[`);
    let comma = '';
    for await (const event of eventsUpTo(client, run.id, proof.head.seq, signal)) {
      await write(comma + JSON.stringify(originalEvent(event)));
      comma = ',';
    }
    await write(']}');
  } finally {
    await file?.close();
  }
  if (toFile) terminal.note(`Wrote ${proof.head.seq} events of ${run.id} to ${flags.output}.`);
  return EXIT.succeeded;
}
