import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findDebianArchive, parseDeb822Sources, parseOneLineSources, type AptSource } from './apt-sources.ts';
import { findProgram } from '../base/command.ts';
import { SetupError } from './step.ts';

export const isRoot = (): boolean => process.getuid?.() === 0;

/** True where systemd is PID 1, as sd_booted(3) decides it. */
export const systemdRuns = (): boolean => existsSync('/run/systemd/system');

/** True where setup may install Debian packages itself. */
export const canInstallPackages = (): boolean => isRoot() && findProgram('apt-get') !== undefined;

/** The release's code name from os-release(5), `bookworm` say. */
export async function releaseCodename(): Promise<string | undefined> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(text)?.[1];
}

export async function readAptSources(root = '/etc/apt'): Promise<AptSource[]> {
  const parts = join(root, 'sources.list.d');
  const names = await readdir(parts).catch(() => []);
  // Our own file must never be the model for itself.
  const files = [
    join(root, 'sources.list'),
    ...names.filter((name) => !name.startsWith('caisson-')).map((name) => join(parts, name)),
  ];
  const sources: AptSource[] = [];
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => '');
    if (file.endsWith('.sources')) sources.push(...parseDeb822Sources(text));
    else if (file.endsWith('.list')) sources.push(...parseOneLineSources(text));
  }
  return sources;
}

/**
 * The Debian mirror that this machine already uses and trusts; every address that setup installs from comes from here.
 * @throws {SetupError} when the machine has no Debian archive in its apt sources
 */
export async function debianArchive(): Promise<AptSource> {
  const codename = await releaseCodename();
  const archive = codename === undefined ? undefined : findDebianArchive(await readAptSources(), codename);
  if (!archive) {
    throw new SetupError(
      `No Debian archive for «${codename ?? 'unknown release'}» in /etc/apt/sources.list or /etc/apt/sources.list.d: add one, then run setup again.`,
    );
  }
  return archive;
}
