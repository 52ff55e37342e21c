import { mkdir, open, readdir, readFile, realpath, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandFailed, runCommand } from '../../base/command.ts';
import { AGENT_UID } from '../sandbox.ts';
import { makeLoopNodes } from './loop-nodes.ts';

const COMMAND_TIMEOUT_MS = 30_000;
const MOUNT_TRIES = 6;
const UNMOUNT_TRIES = 10;
const FREE_DEADLINE_MS = 10_000;

/**
 * The disk of one sandbox: a sparse file that holds an ext4 file system, mounted through a loop device. It is the limit
 * of `/workspace` that holds whatever the agent does; a directory quota would need the host's file system to play along.
 */
export interface Disk {
  readonly folder: string;
  readonly image: string;
  /** Where it is mounted, or will be. */
  readonly workspace: string;
}

/** Makes the folders, so that the mount point exists; the file system comes with `mountDisk`. */
export async function prepareDisk(folder: string): Promise<Disk> {
  // Only the server enters here; the engine mounts as root.
  await mkdir(join(folder, 'workspace'), { recursive: true, mode: 0o700 });
  return diskIn(await realpath(folder));
}

export function diskIn(folder: string): Disk {
  return { folder, image: join(folder, 'disk.img'), workspace: join(folder, 'workspace') };
}

/** Formats and mounts it. 5 GiB take about 25 ms and 3 MiB of the host's disk. */
export async function mountDisk(disk: Disk, bytes: number): Promise<void> {
  const file = await open(disk.image, 'wx', 0o600);
  try {
    await file.truncate(bytes);
  } finally {
    await file.close();
  }
  // No journal: the disk never outlives its run, so there is nothing to recover. Lazy tables: nothing is written now.
  const options = `lazy_itable_init=1,lazy_journal_init=1,nodiscard,root_owner=${AGENT_UID}:${AGENT_UID}`;
  await run('mkfs.ext4', '-q', '-F', '-m', '0', '-O', '^has_journal', '-E', options, disk.image);
  await mountLoop(disk);
  await rmdir(join(disk.workspace, 'lost+found'));
}

/** mount(8) takes a free loop device; when many do so at once it can lose the race for one, or find no node for it. */
async function mountLoop(disk: Disk): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await run('mount', '-t', 'ext4', '-o', 'loop,nosuid,nodev,noatime', disk.image, disk.workspace);
      return;
    } catch (error) {
      if (!(error instanceof CommandFailed) || !/loop/i.test(error.output) || attempt === MOUNT_TRIES) throw error;
      await makeLoopNodes();
      await sleep(20 * attempt + Math.random() * 30);
    }
  }
}

/**
 * Unmounts, detaches and deletes; what is already gone is fine. The unmount is tried again while something still holds
 * it, and made lazy at last: the kernel then frees it with the last user.
 */
export async function removeDisk(disk: Disk): Promise<void> {
  for (let attempt = 1; await isMounted(disk); attempt++) {
    try {
      await run('umount', ...(attempt >= UNMOUNT_TRIES ? ['--lazy'] : []), disk.workspace);
    } catch (error) {
      if (attempt > UNMOUNT_TRIES) throw error;
      await sleep(50);
    }
  }
  // A loop device that mount(8) took is freed by the unmount itself; this is for one that was left half way.
  for (const device of await loopDevices(disk)) await run('losetup', '-d', device).catch(ignoreAlreadyFree);
  await rm(disk.folder, { recursive: true, force: true });
  // A detached device goes with its last opener: udev probes it, or a starting container has a copy of the mount.
  for (const deadline = Date.now() + FREE_DEADLINE_MS; Date.now() < deadline; await sleep(50)) {
    if ((await loopDevices(disk)).length === 0) return;
  }
}

/** What is there of it. */
export async function diskLeftovers(disk: Disk): Promise<{ mounted: boolean; loopDevices: readonly string[] }> {
  return { mounted: await isMounted(disk), loopDevices: await loopDevices(disk) };
}

async function isMounted(disk: Disk): Promise<boolean> {
  // Fields of /proc/self/mountinfo are separated by spaces; the fifth is the mount point, spaces in it as \040 (proc(5)).
  const mounts = await readFile('/proc/self/mountinfo', 'utf8');
  return mounts.split('\n').some((line) => unescapeOctal(line.split(' ')[4] ?? '') === disk.workspace);
}

async function loopDevices(disk: Disk): Promise<string[]> {
  const names = (await readdir('/sys/block')).filter((name) => name.startsWith('loop'));
  const found: string[] = [];
  for (const name of names) {
    // The file exists only while something is attached; the kernel adds « (deleted)» after the image was unlinked.
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (backing.trim().replace(/ \(deleted\)$/, '') === disk.image) found.push(`/dev/${name}`);
  }
  return found;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** ENXIO: it was freed between looking and asking. Anything else is seen by the check for leftovers. */
function ignoreAlreadyFree(error: unknown): void {
  if (!(error instanceof CommandFailed)) throw error;
}

function run(program: string, ...args: string[]): Promise<string> {
  return runCommand([program, ...args], { timeoutMs: COMMAND_TIMEOUT_MS });
}
