import { access, constants, mkdtemp, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { messageOf } from '../../base/lifecycle.ts';
import { mountDisk, prepareDisk, removeDisk } from '../../sandbox/gvisor/disk.ts';
import { bad, good, type Check } from './check.ts';

const GIB = 1024 ** 3;
const ENOUGH_DISK = 10 * GIB;
const OLDEST_NODE = [20, 19] as const;
/** Any clock that shows an earlier time was never set. */
const EARLIEST = Date.UTC(2025, 0, 1);
const LATEST = Date.UTC(2100, 0, 1);
const TOLERATED_SKEW_MS = 5_000;

export function checkNode(version = process.versions.node): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1]);
  if (enough) return good('node', `Node ${version}`);
  return bad('node', `Node ${version}`, `install Node ${OLDEST_NODE.join('.')} or later`);
}

/** The keys and the log of every run live there: nobody else on the host may read them. */
export async function checkDataDir(folder: string): Promise<Check> {
  const found = await stat(folder).catch(() => undefined);
  try {
    if (!found) {
      await access(await nearestExisting(folder), constants.W_OK);
      return good('data directory', `${folder} will be made when the server first starts`);
    }
    await access(folder, constants.W_OK | constants.R_OK | constants.X_OK);
  } catch {
    return bad(
      'data directory',
      `${folder} cannot be written`,
      `sudo chown ${process.getuid?.() ?? '$USER'} ${folder}, or set CAISSON_DATA_DIR to another folder`,
    );
  }
  const others = found.mode & 0o077;
  if (others !== 0)
    return bad(
      'data directory',
      `${folder} is open to other users (mode ${(found.mode & 0o777).toString(8)})`,
      `chmod 700 ${folder}`,
    );
  return good('data directory', `${folder} is writable and private`);
}

export async function checkDiskSpace(folder: string): Promise<Check> {
  const { bavail, bsize } = await statfs(await nearestExisting(folder));
  const free = bavail * bsize;
  const text = `${(free / GIB).toFixed(0)} GiB free for ${folder}`;
  if (free >= ENOUGH_DISK) return good('disk space', text);
  return bad(
    'disk space',
    text,
    `free some space, or set CAISSON_DATA_DIR to a larger disk (at least ${ENOUGH_DISK / GIB} GiB)`,
  );
}

/** Makes and mounts a small disk as every sandbox gets one, and removes it. */
export async function checkSandboxDisk(folder: string): Promise<Check> {
  const parent = await mkdtemp(join(await nearestExisting(folder), '.caisson-doctor-'));
  const disk = await prepareDisk(join(parent, 'sandbox'));
  try {
    await mountDisk(disk, 16 * 1024 ** 2);
    return good('sandbox disks', 'mkfs.ext4 and loop devices work');
  } catch (error) {
    const mend = 'run as root; «modprobe loop» where the kernel has no loop devices; «caisson setup» for mkfs.ext4';
    return bad('sandbox disks', `a loop-mounted ext4 disk could not be made: ${messageOf(error)}`, mend);
  } finally {
    await removeDisk(disk);
    await rm(parent, { recursive: true, force: true });
  }
}

/** `engineTime` is what the engine says at `now`. */
export function checkClock(now: Date, engineTime: Date | undefined): Check {
  const mend = 'set the clock: timedatectl set-ntp true, or chronyd';
  if (now.getTime() < EARLIEST || now.getTime() > LATEST)
    return bad('clock', `the clock says ${now.toISOString()}`, mend);
  const skew = engineTime ? Math.abs(now.getTime() - engineTime.getTime()) : 0;
  if (skew > TOLERATED_SKEW_MS)
    return bad('clock', `the engine's clock differs by ${(skew / 1000).toFixed(0)} s`, mend);
  return good('clock', now.toISOString());
}

async function nearestExisting(folder: string): Promise<string> {
  for (let path = folder; ; path = dirname(path)) {
    if ((await stat(path).catch(() => undefined)) || dirname(path) === path) return path;
  }
}
