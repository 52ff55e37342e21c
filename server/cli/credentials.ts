import { randomUUID } from 'node:crypto';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { CaissonError } from '../../shared/protocol/errors.ts';

const credential = z.object({ apiKey: z.string().min(1), keyId: z.string(), createdAt: z.string() });
const credentialsFile = z.object({ servers: z.record(z.string(), credential) });

export type Credential = z.infer<typeof credential>;
export type Credentials = z.infer<typeof credentialsFile>;

/** Where the command line finds the key of the server that was first started on this machine. */
export function credentialsPath(): string {
  return join(homedir(), '.caisson', 'credentials.json');
}

/** One spelling for one server, so that `http://localhost:7480/` finds what was saved for 127.0.0.1. */
export function serverKey(url: string): string {
  const parsed = new URL(url);
  if (['localhost', '[::1]'].includes(parsed.hostname)) parsed.hostname = '127.0.0.1';
  return parsed.origin + parsed.pathname.replace(/\/+$/, '');
}

/**
 * The credentials file, or an empty one where there is none.
 * @throws {CaissonError} when others can read it (the keys in it are then no secret any more) or it is malformed
 */
export async function readCredentials(path: string = credentialsPath()): Promise<Credentials> {
  const file = await open(path, 'r').catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw new CaissonError('unauthenticated', `The credentials file ${path} cannot be read: ${String(error)}`);
  });
  if (!file) return { servers: {} };
  try {
    // Asked of the open file, not of the path, which could be exchanged in between.
    const { mode } = await file.stat();
    if ((mode & 0o077) !== 0) {
      const found = (mode & 0o777).toString(8).padStart(4, '0');
      throw new CaissonError(
        'unauthenticated',
        `${path} can be read by others (mode ${found}), so it is not used. Run \`chmod 600 ${path}\`, ` +
          'and replace its keys if somebody may have read them.',
      );
    }
    return parse(await file.readFile('utf8'), path);
  } finally {
    await file.close();
  }
}

function parse(text: string, path: string): Credentials {
  try {
    return credentialsFile.parse(JSON.parse(text));
  } catch (error) {
    // The parser's message quotes the text, which holds keys, so it goes nowhere.
    const kind = error instanceof SyntaxError ? 'is not JSON' : 'does not have the expected form';
    throw new CaissonError('unauthenticated', `The credentials file ${path} ${kind}. Mend it, or move it away.`);
  }
}

/** Adds or replaces one server's key. The file appears complete or not at all, and never readable by others. */
export async function saveCredential(url: string, value: Credential, path: string = credentialsPath()): Promise<void> {
  const { servers } = await readCredentials(path);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${randomUUID()}`;
  try {
    const file = await open(temporary, 'wx', 0o600);
    try {
      await file.writeFile(JSON.stringify({ servers: { ...servers, [serverKey(url)]: value } }, null, 2) + '\n');
      await file.sync();
    } finally {
      await file.close();
    }
    // The umask may have taken bits away from the owner, too.
    await chmod(temporary, 0o600);
    await rename(temporary, path);
  } finally {
    await rm(temporary, { force: true });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
