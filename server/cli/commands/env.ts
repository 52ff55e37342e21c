import { Option, type Command } from 'commander';
import type { Environment } from '../../../shared/protocol/rest.ts';
import type { Bind, CommandContext } from '../command.ts';
import { environmentFrom, type EnvironmentFlags } from '../environment-flags.ts';
import { EXIT } from '../exit.ts';
import { collect, collectPair, parseCount, parseDecimal } from '../options.ts';

const NAME = 'the environment’s name or id';

export function registerEnv(program: Command, bind: Bind): void {
  const env = program
    .command('env')
    .summary('Manage environments: image, resources, network, variables, secrets')
    .description('Manages environments: where runs happen.');
  env
    .command('list')
    .description('Lists the environments.')
    .option('--json', 'print one JSON object a line', false)
    .addHelpText('after', '\nExamples:\n  $ caisson env list')
    .action(bind(list));
  env
    .command('show')
    .description('Prints an environment as JSON. Of secrets only the names.')
    .argument('<name>', NAME)
    .addHelpText('after', '\nExamples:\n  $ caisson env show default > default.json')
    .action(bind(show));
  withFlags(env.command('create').description('Creates an environment.').argument('<name>', 'its name'))
    .addHelpText(
      'after',
      `
Examples:
  $ caisson env create web --allow registry.internal --var NODE_ENV=test --setup setup.sh
  $ caisson env create web --file web.json --memory 4096`,
    )
    .action(bind(create));
  withFlags(
    env.command('update').description('Changes an environment; what is not named stays.').argument('<name>', NAME),
  )
    .addHelpText(
      'after',
      '\nExamples:\n  $ caisson env update web --approval ask\n  $ caisson env update web --network none',
    )
    .action(bind(update));
  env
    .command('delete')
    .description('Deletes an environment, its secrets included.')
    .argument('<name>', NAME)
    .addHelpText('after', '\nExamples:\n  $ caisson env delete web')
    .action(bind(remove));

  const secret = env.command('secret').description('Sets and removes secrets, which the setup script sees.');
  secret
    .command('set')
    .description(
      'Sets a secret. The value comes from stdin, or is asked for; it is never an argument, which others could see.',
    )
    .argument('<environment>', NAME)
    .argument('<secret>', 'the variable’s name')
    .addHelpText(
      'after',
      '\nExamples:\n  $ caisson env secret set web NPM_TOKEN\n  $ pass npm/token | caisson env secret set web NPM_TOKEN',
    )
    .action(bind(setSecret));
  secret
    .command('rm')
    .description('Removes a secret.')
    .argument('<environment>', NAME)
    .argument('<secret>', 'the variable’s name')
    .addHelpText('after', '\nExamples:\n  $ caisson env secret rm web NPM_TOKEN')
    .action(bind(removeSecret));
}

function withFlags(command: Command): Command {
  return command
    .option('--file <json>', 'read it from this file (- for stdin); flags come on top')
    .option('--description <text>', 'what it is for')
    .option('--image <name>', 'sandbox image')
    .option('--cpus <number>', 'CPUs', parseDecimal)
    .option('--memory <MiB>', 'memory in MiB', parseCount(1, 1e9))
    .option('--disk <MiB>', 'disk in MiB', parseCount(1, 1e9))
    .addOption(new Option('--network <mode>', 'what may be reached').choices(['none', 'allowlist', 'open']))
    .option('--allow <pattern>', 'host or *.host, with :port if not 443 (repeatable)', collect)
    .option('--var <name=value>', 'variable; not for secrets (repeatable)', collectPair)
    .option('--setup <file>', 'script that prepares the workspace before the agent starts')
    .option('--time-limit <seconds>', 'seconds that a run may take', parseCount(1, 1e9))
    .addOption(new Option('--approval <mode>', 'who answers when an agent asks').choices(['ask', 'auto']))
    .option('--json', 'print the result as JSON', false);
}

/** The API's path takes ids; people say names. */
async function find({ client }: CommandContext, text: string): Promise<Environment> {
  const { environments } = await client();
  let cursor: string | undefined;
  do {
    const page = await environments.list({ limit: 200, ...(cursor !== undefined && { cursor }) });
    const found = page.items.find((one) => one.id === text || one.name === text);
    if (found) return found;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  const { CaissonError } = await import('../../../shared/protocol/errors.ts');
  throw new CaissonError('not_found', `There is no environment "${text}". \`caisson env list\` shows them.`);
}

async function list({ terminal, client }: CommandContext, flags: { json: boolean }): Promise<number> {
  const { items } = await (await client()).environments.list({ limit: 200 });
  if (flags.json) {
    for (const one of items) await terminal.out(JSON.stringify(one));
    return EXIT.succeeded;
  }
  const { formatTable } = await import('../output/format.ts');
  const rows = items.map((one) => [
    one.name,
    one.image,
    `${one.resources.cpus} CPU, ${one.resources.memoryMiB} MiB`,
    one.network.mode === 'allowlist' ? [...one.network.groups, ...one.network.patterns].join(' ') : one.network.mode,
    one.approval,
    one.secretNames.join(' '),
  ]);
  for (const line of formatTable([['NAME', 'IMAGE', 'RESOURCES', 'NETWORK', 'APPROVAL', 'SECRETS'], ...rows]))
    await terminal.out(line);
  return EXIT.succeeded;
}

async function show(context: CommandContext, text: string): Promise<number> {
  await context.terminal.out(JSON.stringify(await find(context, text), null, 2));
  return EXIT.succeeded;
}

async function create(context: CommandContext, name: string, flags: EnvironmentFlags): Promise<number> {
  const input = await environmentFrom(flags, context.terminal);
  const made = await (await context.client()).environments.create({ ...input, name });
  await report(context, flags, made, 'Created');
  return EXIT.succeeded;
}

async function update(context: CommandContext, text: string, flags: EnvironmentFlags): Promise<number> {
  const current = await find(context, text);
  const patch = await environmentFrom(flags, context.terminal, current);
  const made = await (await context.client()).environments.update(current.id, patch);
  await report(context, flags, made, 'Changed');
  return EXIT.succeeded;
}

async function report(
  { terminal }: CommandContext,
  flags: { json: boolean },
  made: Environment,
  done: string,
): Promise<void> {
  if (flags.json) await terminal.out(JSON.stringify(made));
  else terminal.note(`${done} ${made.name} (${made.id}).`);
}

async function remove(context: CommandContext, text: string): Promise<number> {
  const found = await find(context, text);
  await (await context.client()).environments.delete(found.id);
  context.terminal.note(`Deleted ${found.name}.`);
  return EXIT.succeeded;
}

async function setSecret(context: CommandContext, text: string, name: string): Promise<number> {
  const { terminal } = context;
  const found = await find(context, text);
  const { ask, readAll } = await import('../terminal.ts');
  // One line break at the end is the shell's, not the secret's.
  const value = terminal.interactive
    ? await ask(terminal, `Value of ${name} (not shown): `, { hidden: true })
    : (await readAll(terminal.stdin, 65_536)).replace(/\r?\n$/, '');
  if (!value) {
    const { CaissonError } = await import('../../../shared/protocol/errors.ts');
    throw new CaissonError('invalid_request', 'The secret’s value is empty, so nothing was set.');
  }
  await (await context.client()).environments.setSecret(found.id, name, value);
  terminal.note(`Set ${name} in ${found.name}.`);
  return EXIT.succeeded;
}

async function removeSecret(context: CommandContext, text: string, name: string): Promise<number> {
  const found = await find(context, text);
  await (await context.client()).environments.deleteSecret(found.id, name);
  context.terminal.note(`Removed ${name} from ${found.name}.`);
  return EXIT.succeeded;
}
