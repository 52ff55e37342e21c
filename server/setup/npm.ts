import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { findProgram, runCommand } from '../base/command.ts';
import { SetupError, type Progress } from './step.ts';

const TEN_MINUTES = 600_000;

/**
 * Installs what a lock file pins, by its integrity hashes, into `target/node_modules`. No package's install script runs:
 * they would run as root on the host.
 */
export async function installFromLock(source: string, target: string, progress?: Progress): Promise<void> {
  const npm = findProgram('npm');
  if (npm === undefined) throw new SetupError('npm is not installed; it comes with Node.');
  await mkdir(target, { recursive: true });
  for (const file of ['package.json', 'package-lock.json']) await copyFile(join(source, file), join(target, file));
  // «engines» of what is installed speak of the sandbox's Node, not of the one that runs npm here.
  await runCommand([npm, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--omit=dev', '--engine-strict=false'], {
    timeoutMs: TEN_MINUTES,
    cwd: target,
    ...(progress ? { onLine: progress } : {}),
  });
}
