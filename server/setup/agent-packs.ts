import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { access, chmod, constants, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { recipeFolder } from '../sandbox/image/recipe.ts';
import { installFromLock } from './npm.ts';
import { SetupError, type Step } from './step.ts';

const STAMP = '.caisson-lock';

/** Where agents are installed, each in a folder of its name; sandboxes see them read-only in /opt/agents. */
export const agentsDir = (env: NodeJS.ProcessEnv = process.env): string =>
  env['CAISSON_AGENTS_DIR'] ?? '/var/lib/caisson/agents';

/** The agents that can be installed. */
export function knownAgentPacks(): string[] {
  return readdirSync(join(recipeFolder(), 'agents')).sort();
}

/** Installs the pinned set of packages of each named agent. */
export function agentPacksStep(names: readonly string[], folder = agentsDir()): Step {
  const known = knownAgentPacks();
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0)
    throw new SetupError(`There is no agent pack «${unknown.join(', ')}»; there are ${known.join(', ')}.`);

  const stale = async (): Promise<string[]> => {
    const result: string[] = [];
    for (const name of names) {
      const stamp = await readFile(join(folder, name, STAMP), 'utf8').catch(() => '');
      if (stamp !== (await lockHash(name))) result.push(name);
    }
    return result;
  };
  return {
    name: 'agents',
    async check() {
      const missing = await stale();
      if (missing.length === 0) return { done: true, note: `${names.join(', ')} in ${folder}` };
      const will = missing.map((name) => `install the agent ${name} into ${join(folder, name)} (npm ci)`);
      if (await writable(folder)) return { done: false, will };
      return {
        done: false,
        will,
        byHand: [`sudo caisson setup ${missing.map((name) => `--agent ${name}`).join(' ')}`],
      };
    },
    async apply(progress) {
      await mkdir(folder, { recursive: true, mode: 0o755 });
      for (const name of await stale()) {
        progress(`npm ci: agent ${name}`);
        const fresh = await mkdtemp(join(folder, `.${name}-`));
        try {
          await installFromLock(join(recipeFolder(), 'agents', name), fresh, progress);
          await writeFile(join(fresh, STAMP), await lockHash(name));
          await replaceFolder(fresh, join(folder, name));
        } finally {
          await rm(fresh, { recursive: true, force: true });
        }
      }
    },
  };
}

async function lockHash(name: string): Promise<string> {
  const lock = await readFile(join(recipeFolder(), 'agents', name, 'package-lock.json'));
  return createHash('sha256').update(lock).digest('hex');
}

/**
 * The old folder is only moved aside: a running sandbox has it mounted, and a mount follows the folder. It is removed by
 * the next replacement.
 */
async function replaceFolder(fresh: string, target: string): Promise<void> {
  const prefix = `.${basename(target)}-old-`;
  for (const name of await readdir(dirname(target))) {
    if (name.startsWith(prefix)) await rm(join(dirname(target), name), { recursive: true, force: true });
  }
  await chmod(fresh, 0o755);
  if (existsSync(target)) await rename(target, join(dirname(target), `${prefix}${Date.now()}`));
  await rename(fresh, target);
}

/** True where the folder, or the nearest one above it that exists, can be written. */
async function writable(folder: string): Promise<boolean> {
  let nearest = folder;
  while (!existsSync(nearest) && dirname(nearest) !== nearest) nearest = dirname(nearest);
  return access(nearest, constants.W_OK).then(
    () => true,
    () => false,
  );
}
