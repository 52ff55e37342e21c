import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A name beside `file` for what is not finished yet; the same folder, so that it can be renamed or linked. */
export function temporaryName(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}.tmp`;
}

/** A new name in a folder is durable only once the folder itself has been synced (fsync(2)). */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Creates `file` (mode 0600) with the whole content, durably, or leaves the existing one alone: link(2), unlike
 * rename(2), never replaces. Returns false when the file existed.
 */
export async function createOnce(file: string, content: string): Promise<boolean> {
  const temporary = temporaryName(file);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(content);
    await handle.sync();
    await link(temporary, file);
    await syncFolder(dirname(file));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await handle.close();
    await rm(temporary, { force: true });
  }
}
