import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { installPackages, refreshPackageLists } from './apt.ts';
import { findProgram, runCommand } from '../base/command.ts';
import { canInstallPackages, debianArchive, releaseCodename } from './host.ts';
import { SetupError, type Step } from './step.ts';

/**
 * `--host-uds=open`, `--pod-init-config` with every point that the witness uses, and the systrap platform are together
 * in releases from 2024 on; the one of 2022-12 (Debian 12) fails on `stat` of a mount.
 */
export const OLDEST_RELEASE = 20240101;
const SOURCE_SUITE = 'trixie';
const SOURCE_FILE = '/etc/apt/sources.list.d/caisson-gvisor.list';
const PREFERENCES_FILE = '/etc/apt/preferences.d/caisson-gvisor';

/** Only runsc may come from the newer release: everything else in it is pinned below what can be installed. */
const PREFERENCES = `# Written by «caisson setup»: nothing but runsc (gVisor) is ever taken from ${SOURCE_SUITE}.
Package: *
Pin: release n=${SOURCE_SUITE}
Pin-Priority: -1

Package: runsc
Pin: release n=${SOURCE_SUITE}
Pin-Priority: 990
`;

export interface InstalledGvisor {
  readonly path: string;
  readonly version: string;
  readonly recentEnough: boolean;
}

/** The gVisor on this machine's PATH, or undefined. */
export async function installedGvisor(): Promise<InstalledGvisor | undefined> {
  const path = findProgram('runsc');
  if (path === undefined) return undefined;
  const output = await runCommand([path, '--version'], { timeoutMs: 20_000 });
  const version = /runsc version (\S+)/.exec(output)?.[1] ?? 'unknown';
  return { path, version, recentEnough: (releaseDate(version) ?? 0) >= OLDEST_RELEASE };
}

/** The date in gVisor's own (`release-20240729.0`) and Debian's (`0.0~20240729.0`) version strings. */
export function releaseDate(version: string): number | undefined {
  const date = /(?:^|\D)(20\d{6})(?:\D|$)/.exec(version)?.[1];
  return date === undefined ? undefined : Number(date);
}

export function gvisorStep(): Step {
  return {
    name: 'gVisor',
    async check() {
      const installed = await installedGvisor();
      if (installed?.recentEnough) return { done: true, note: `runsc ${installed.version} at ${installed.path}` };
      const old = installed ? ` (${installed.path} is ${installed.version}, too old)` : '';
      const borrow = await needsNewerRelease();
      const will = [
        ...(borrow
          ? [`add ${SOURCE_FILE} and ${PREFERENCES_FILE}: Debian ${SOURCE_SUITE}, for runsc and nothing else`]
          : []),
        `install the Debian package runsc${old}`,
      ];
      if (canInstallPackages()) return { done: false, will };
      return {
        done: false,
        will,
        byHand: ['install gVisor as https://gvisor.dev/docs/user_guide/install/ says, so that runsc is on the PATH'],
      };
    },
    async apply(progress) {
      if (await needsNewerRelease()) {
        const archive = await debianArchive();
        // The preferences come first: an interruption between the two must not leave an unpinned source.
        await writeFile(PREFERENCES_FILE, PREFERENCES);
        const options = archive.signedBy === undefined ? '' : `[signed-by=${archive.signedBy}] `;
        await writeFile(SOURCE_FILE, `deb ${options}${archive.uri} ${SOURCE_SUITE} main\n`);
        await refreshPackageLists(progress, SOURCE_FILE);
      }
      await installPackages(['runsc'], progress);
      const installed = await installedGvisor();
      if (!installed?.recentEnough) {
        throw new SetupError(
          `runsc is ${installed ? `${installed.version} at ${installed.path}` : 'not installed'} after the installation; ` +
            `it must be of ${OLDEST_RELEASE} or later. Remove an older one that comes first on the PATH.`,
        );
      }
    },
  };
}

/** Debian 12 carries only the old runsc; later releases have a good one in their own archive. */
async function needsNewerRelease(): Promise<boolean> {
  return (await releaseCodename()) === 'bookworm' && existsSync('/etc/apt');
}
