import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../base/package-root.ts';
import { AGENT_UID, RELAY_UID } from '../sandbox.ts';

/** Where containers look for the image unless an environment names another one. */
export const IMAGE_TAG = 'caisson/sandbox:latest';
/** The label that says which recipe an image was made from. */
export const RECIPE_LABEL = 'caisson.recipe';
export const DEBIAN_SUITE = 'bookworm';

/** What agents and ordinary projects expect of a machine; compilers and databases belong to an environment's own image. */
export const PACKAGES = [
  'bash',
  'ca-certificates',
  'curl',
  'git',
  'jq',
  'make',
  'openssh-client',
  'patch',
  'procps',
  'python3',
  'ripgrep',
  'socat',
  'tini',
  'unzip',
  'util-linux',
] as const;

/** Documentation and translations are left out at unpacking: nobody reads them in a sandbox. */
export const EXCLUDED_PATHS = [
  '/usr/share/man/*',
  '/usr/share/info/*',
  '/usr/share/locale/*/LC_MESSAGES/*',
  '/usr/share/doc/*',
  '/usr/share/bash-completion/*',
] as const;

/** Dockerfile instructions that are applied on import. */
export function imageChanges(recipe: string): string[] {
  return [
    'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    'ENV LANG=C.UTF-8',
    'WORKDIR /workspace',
    `USER ${AGENT_UID}`,
    'CMD ["/bin/bash"]',
    `LABEL ${RECIPE_LABEL}=${recipe}`,
  ];
}

/** The folder of the recipe's files: git settings and the toolchain's lock file. */
export const recipeFolder = (): string => join(packageRoot(), 'server/sandbox/image');

/** Changes whenever the image would: setup rebuilds an image that carries another one. */
export async function recipeHash(): Promise<string> {
  const hash = createHash('sha256');
  // A format number of our own stands for the building code: raise it when the same inputs give another image.
  hash.update(JSON.stringify([1, DEBIAN_SUITE, PACKAGES, EXCLUDED_PATHS, imageChanges(''), AGENT_UID, RELAY_UID]));
  for (const file of ['gitconfig', 'toolchain/package.json', 'toolchain/package-lock.json']) {
    hash.update(await readFile(join(recipeFolder(), file)));
  }
  return hash.digest('hex').slice(0, 16);
}
