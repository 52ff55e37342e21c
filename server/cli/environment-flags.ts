import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { CaissonError, invalidRequest } from '../../shared/protocol/errors.ts';
import { environmentPatch, type Environment, type EnvironmentInput } from '../../shared/protocol/rest.ts';
import { readAll, type Terminal } from './terminal.ts';

export interface EnvironmentFlags {
  readonly file?: string;
  readonly description?: string;
  readonly image?: string;
  readonly cpus?: number;
  readonly memory?: number;
  readonly disk?: number;
  readonly network?: 'none' | 'allowlist' | 'open';
  readonly allow?: string[];
  readonly var?: Record<string, string>;
  readonly setup?: string;
  readonly timeLimit?: number;
  readonly approval?: 'ask' | 'auto';
  readonly json: boolean;
}

type Draft = { -readonly [K in keyof Omit<EnvironmentInput, 'name'>]?: EnvironmentInput[K] };

/**
 * What a file and flags say about an environment. `resources` and `network` replace the old ones as a whole, so flags
 * for a part of them start from what the file says, else from what `current` has.
 */
export async function environmentFrom(
  flags: EnvironmentFlags,
  terminal: Pick<Terminal, 'stdin'>,
  current?: Environment,
): Promise<Draft> {
  const file = flags.file === undefined ? {} : await readDraft(flags.file, terminal);
  const limits = {
    ...(flags.cpus !== undefined && { cpus: flags.cpus }),
    ...(flags.memory !== undefined && { memoryMiB: flags.memory }),
    ...(flags.disk !== undefined && { diskMiB: flags.disk }),
  };
  const reach = {
    ...(flags.network !== undefined && { mode: flags.network }),
    ...(flags.allow !== undefined && { patterns: flags.allow }),
  };
  const draft: unknown = {
    ...file,
    ...(flags.description !== undefined && { description: flags.description }),
    ...(flags.image !== undefined && { image: flags.image }),
    ...(Object.keys(limits).length > 0 && { resources: { ...(file.resources ?? current?.resources), ...limits } }),
    ...(Object.keys(reach).length > 0 && { network: { ...(file.network ?? current?.network), ...reach } }),
    ...(flags.var && { variables: { ...(file.variables ?? current?.variables), ...flags.var } }),
    ...(flags.setup !== undefined && { setupScript: await read(flags.setup, terminal) }),
    ...(flags.timeLimit !== undefined && { timeLimitSeconds: flags.timeLimit }),
    ...(flags.approval !== undefined && { approval: flags.approval }),
  };
  return checked(draft);
}

const shownEnvironment = z.record(z.string(), z.unknown());

function checked(input: unknown): Draft {
  const parsed = environmentPatch.omit({ name: true }).safeParse(input);
  if (!parsed.success) throw invalidRequest('environment', parsed.error);
  return Object.fromEntries(Object.entries(parsed.data).filter(([, value]) => value !== undefined));
}

async function readDraft(path: string, terminal: Pick<Terminal, 'stdin'>): Promise<Draft> {
  const text = await read(path, terminal);
  try {
    const { success, data } = shownEnvironment.safeParse(JSON.parse(text));
    if (!success) throw new CaissonError('invalid_request', `${path} does not hold an environment: a JSON object.`);
    // What `caisson env show` prints can be taken as it is; these are not for anybody to choose.
    const { id: _id, name: _name, secretNames: _secrets, createdAt: _made, updatedAt: _changed, ...rest } = data;
    return checked(rest);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new CaissonError('invalid_request', `${path} is not JSON: ${error.message}`);
    throw error;
  }
}

async function read(path: string, { stdin }: Pick<Terminal, 'stdin'>): Promise<string> {
  if (path === '-') return readAll(stdin, 1_000_000);
  return readFile(path, 'utf8').catch((error: unknown) => {
    throw new CaissonError(
      'invalid_request',
      `${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
}
