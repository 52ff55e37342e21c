import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { createOnce } from './durable-file.ts';

const BYTES = 32;

/**
 * The key under which every other key lies: from `CAISSON_MASTER_KEY` where the operator keeps it elsewhere (64 hex
 * digits, or base64), otherwise from a file that is created on first start.
 * @throws {CaissonError} `internal` when the value or the file is not a 32-byte key, or the file is open to others
 */
export async function loadMasterKey(options: { file: string; fromEnvironment?: string | undefined }): Promise<Buffer> {
  if (options.fromEnvironment !== undefined) {
    return decode(options.fromEnvironment, 'CAISSON_MASTER_KEY must be 32 bytes, as 64 hexadecimal digits or base64.');
  }
  return (await readKey(options.file)) ?? (await createKey(options.file));
}

async function readKey(file: string): Promise<Buffer | undefined> {
  // lstat: a symbolic link could lead to a file that somebody else controls.
  const stats = await lstat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!stats) return undefined;
  if (!stats.isFile()) throw new CaissonError('internal', `The master key ${file} is not a regular file.`);
  if ((stats.mode & 0o077) !== 0) {
    throw new CaissonError('internal', `The master key ${file} is open to other users. Run: chmod 600 ${file}`);
  }
  return decode(await readFile(file, 'utf8'), `The file ${file} does not hold a master key (64 hexadecimal digits).`);
}

async function createKey(file: string): Promise<Buffer> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const key = randomBytes(BYTES);
  if (await createOnce(file, `${key.toString('hex')}\n`)) return key;
  // Another process started at the same moment: its key is the one that counts.
  const other = await readKey(file);
  if (!other) throw new CaissonError('internal', `The master key ${file} vanished while it was being read.`);
  return other;
}

function decode(text: string, problem: string): Buffer {
  const trimmed = text.trim();
  const key = Buffer.from(trimmed, /^[0-9a-fA-F]{64}$/.test(trimmed) ? 'hex' : 'base64');
  if (key.length !== BYTES) throw new CaissonError('internal', problem);
  return key;
}
