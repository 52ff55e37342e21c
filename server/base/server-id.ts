import { readFile, writeFile } from 'node:fs/promises';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { newId } from './ids.ts';

/**
 * The identity of this data directory's server: labels on containers carry it, so that one server never touches the
 * sandboxes of another on the same machine.
 * @throws {CaissonError} when the file holds something else
 */
export async function loadServerId(file: string): Promise<string> {
  try {
    await writeFile(file, `${newId('srv')}\n`, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const id = (await readFile(file, 'utf8')).trim();
  if (!/^srv_[0-9a-z]{26}$/.test(id))
    throw new CaissonError('internal', `${file} does not hold a server id. Restore it from a backup.`);
  return id;
}
