import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Installs the dependencies and builds, where that is needed: the command line's own way of starting does both. */
export function prepare() {
  const bootstrap = fileURLToPath(new URL('../server/cli/bootstrap.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [bootstrap, '--version'], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) process.exit(status ?? 1);
}
