import type { Command } from 'commander';
import { SCOPES, type Scope } from '../../../shared/protocol/rest.ts';
import type { Bind, CommandContext } from '../command.ts';
import { EXIT } from '../exit.ts';
import { parseExpiry, parseList } from '../options.ts';

export function registerKey(program: Command, bind: Bind): void {
  const key = program
    .command('key')
    .summary('Create, list and revoke API keys')
    .description('Creates, lists and revokes API keys.');
  key
    .command('create')
    .description('Creates an API key and prints it, this once.')
    .argument('<name>', 'what it is for')
    .option('--scope <scopes>', `comma-separated (default: all): ${SCOPES.join(', ')}`, parseList(SCOPES))
    .option('--expires <when>', 'a date, or a time from now: 30d, 12h', (text) => parseExpiry(text))
    .option('--json', 'print the answer as JSON', false)
    .addHelpText(
      'after',
      '\nExamples:\n  $ caisson key create laptop\n  $ caisson key create ci --scope runs:read,runs:write --expires 90d',
    )
    .action(bind(create));
  key
    .command('list')
    .description('Lists the API keys; never the keys themselves.')
    .option('--json', 'print one JSON object a line', false)
    .addHelpText('after', '\nExamples:\n  $ caisson key list')
    .action(bind(list));
  key
    .command('revoke')
    .description('Revokes an API key at once; streams that it opened are closed.')
    .argument('<id>', 'the key’s id or its name')
    .addHelpText('after', '\nExamples:\n  $ caisson key revoke ci')
    .action(bind(revoke));
}

async function create(
  { terminal, client }: CommandContext,
  name: string,
  flags: { scope?: Scope[]; expires?: string; json: boolean },
): Promise<number> {
  const created = await (
    await client()
  ).keys.create({
    name,
    ...(flags.scope && { scopes: flags.scope }),
    ...(flags.expires !== undefined && { expiresAt: flags.expires }),
  });
  // Only the key goes to stdout, so that it can be piped into a secret store.
  await terminal.out(flags.json ? JSON.stringify(created) : created.key);
  if (!flags.json) terminal.note(`Created ${created.id}. The key is shown this once; set it as CAISSON_API_KEY.`);
  return EXIT.succeeded;
}

async function allKeys({ client }: CommandContext) {
  const api = (await client()).keys;
  const first = await api.list({ limit: 200 });
  const items = [...first.items];
  for (let cursor = first.nextCursor; cursor !== undefined;) {
    const page = await api.list({ limit: 200, cursor });
    items.push(...page.items);
    cursor = page.nextCursor;
  }
  return items;
}

async function list(context: CommandContext, flags: { json: boolean }): Promise<number> {
  const { terminal } = context;
  const keys = await allKeys(context);
  if (flags.json) {
    for (const key of keys) await terminal.out(JSON.stringify(key));
    return EXIT.succeeded;
  }
  const [{ formatTable }, { safeLine }] = await Promise.all([
    import('../output/format.ts'),
    import('../output/safe-text.ts'),
  ]);
  const day = (time: string | undefined) => time?.slice(0, 10) ?? '';
  const rows = keys.map((key) => [
    key.id,
    safeLine(key.name, 40),
    `${safeLine(key.prefix, 20)}…`,
    key.revokedAt ? `revoked ${day(key.revokedAt)}` : key.expiresAt ? `until ${day(key.expiresAt)}` : 'valid',
    day(key.lastUsedAt) || 'never',
    key.scopes.length === SCOPES.length ? 'all' : key.scopes.join(','),
  ]);
  for (const line of formatTable([['ID', 'NAME', 'KEY', 'STATE', 'LAST USED', 'SCOPES'], ...rows]))
    await terminal.out(line);
  return EXIT.succeeded;
}

async function revoke(context: CommandContext, text: string): Promise<number> {
  const { CaissonError } = await import('../../../shared/protocol/errors.ts');
  const matches = (await allKeys(context)).filter((key) => key.id === text || (key.name === text && !key.revokedAt));
  const [key, ...others] = matches;
  if (!key) throw new CaissonError('not_found', `There is no key "${text}". \`caisson key list\` shows them.`);
  if (others.length > 0) throw new CaissonError('invalid_request', `Several keys are named "${text}". Give the id.`);
  await (await context.client()).keys.revoke(key.id);
  context.terminal.note(`Revoked ${key.id} (${key.name}).`);
  return EXIT.succeeded;
}
