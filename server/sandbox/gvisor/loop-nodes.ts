import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { CommandFailed, runCommand } from '../../base/command.ts';

/**
 * The kernel makes a loop device as soon as someone asks for a free one; its node in /dev comes from devtmpfs, which a
 * server inside a container does not have. Makes the nodes that are missing.
 */
export async function makeLoopNodes(): Promise<void> {
  for (const name of (await readdir('/sys/block')).filter((block) => /^loop\d+$/.test(block))) {
    const node = `/dev/${name}`;
    if (existsSync(node)) continue;
    const [major, minor] = (await readFile(`/sys/block/${name}/dev`, 'utf8')).trim().split(':');
    if (major === undefined || minor === undefined) continue;
    try {
      await runCommand(['mknod', '-m', '0660', node, 'b', major, minor], { timeoutMs: 5_000 });
    } catch (error) {
      // Another sandbox's start made it in the meantime.
      if (!(error instanceof CommandFailed) || !existsSync(node)) throw error;
    }
  }
}
