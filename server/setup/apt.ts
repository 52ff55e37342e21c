import { runCommand } from '../base/command.ts';
import type { Progress } from './step.ts';

const MINUTE = 60_000;
const UNATTENDED = { DEBIAN_FRONTEND: 'noninteractive', DEBCONF_NONINTERACTIVE_SEEN: 'true' };

/** Refreshes apt's lists. One unreachable vendor repository must not stop setup: the installation itself will tell. */
export async function refreshPackageLists(progress: Progress, sourceFile?: string): Promise<void> {
  const only =
    sourceFile === undefined
      ? []
      : ['-o', `Dir::Etc::sourcelist=${sourceFile}`, '-o', 'Dir::Etc::sourceparts=-', '-o', 'APT::Get::List-Cleanup=0'];
  progress('apt-get update');
  try {
    await runCommand(['apt-get', 'update', '-q', ...only], {
      timeoutMs: 5 * MINUTE,
      env: UNATTENDED,
      onLine: progress,
    });
  } catch (error) {
    progress(
      `apt-get update had trouble, going on with the lists there are: ${(error as Error).message.split('\n')[0]}`,
    );
  }
}

export async function installPackages(packages: readonly string[], progress: Progress): Promise<void> {
  progress(`apt-get install ${packages.join(' ')}`);
  // Waiting for the lock: unattended-upgrades often holds it in the first minutes of a fresh machine.
  await runCommand(
    ['apt-get', 'install', '-y', '-q', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', ...packages],
    { timeoutMs: 15 * MINUTE, env: UNATTENDED, onLine: progress },
  );
}
