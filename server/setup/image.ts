import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Engine } from '../sandbox/gvisor/engine.ts';
import {
  DEBIAN_SUITE,
  EXCLUDED_PATHS,
  IMAGE_TAG,
  imageChanges,
  PACKAGES,
  RECIPE_LABEL,
  recipeFolder,
  recipeHash,
} from '../sandbox/image/recipe.ts';
import { AGENT_UID, RELAY_UID } from '../sandbox/sandbox.ts';
import { findSecurityArchive, oneLine } from './apt-sources.ts';
import { findProgram, runCommand } from '../base/command.ts';
import { canInstallPackages, debianArchive, readAptSources } from './host.ts';
import { installFromLock } from './npm.ts';
import type { Progress, Step } from './step.ts';

const MINUTE = 60_000;

/** The image is made from Debian packages and npm's Node binaries: no image registry is asked. */
export function imageStep(engine: Engine): Step {
  return {
    name: 'image',
    async check() {
      const recipe = await recipeHash();
      const labels = (await engine.answers()) ? await engine.imageLabels(IMAGE_TAG) : undefined;
      if (labels?.[RECIPE_LABEL] === recipe) return { done: true, note: `${IMAGE_TAG} is current (recipe ${recipe})` };
      const why = labels ? 'its recipe has changed' : 'it does not exist';
      const will = [
        `build the sandbox image ${IMAGE_TAG} from Debian ${DEBIAN_SUITE} packages (${why}; about a minute)`,
      ];
      if (canInstallPackages()) return { done: false, will };
      return {
        done: false,
        will,
        byHand: ['sudo caisson setup   # on a Debian system, or docker load an image made there'],
      };
    },
    async apply(progress) {
      // Next to the engine's data: that file system is chosen for size, /tmp may be a small one in memory.
      const { dataRoot } = await engine.info();
      await mkdir(dataRoot, { recursive: true });
      const work = await mkdtemp(join(dataRoot, 'caisson-image-'));
      try {
        const toolchain = join(work, 'toolchain');
        progress('npm ci: Node and npm for the image');
        await installFromLock(join(recipeFolder(), 'toolchain'), toolchain);
        const tar = join(work, 'image.tar');
        await bootstrapDebian(tar, join(toolchain, 'node_modules'), progress);
        progress('importing the image into the engine');
        await engine.importImage(tar, IMAGE_TAG, imageChanges(await recipeHash()));
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    },
  };
}

async function bootstrapDebian(tar: string, modules: string, progress: Progress): Promise<void> {
  const archive = await debianArchive();
  const security = findSecurityArchive(await readAptSources(), archive.suite);
  const lines = [
    oneLine(archive, DEBIAN_SUITE),
    oneLine(archive, `${DEBIAN_SUITE}-updates`),
    ...(security ? [oneLine(security, `${DEBIAN_SUITE}-security`)] : []),
  ];
  const hook = join(tar, '../finish.sh');
  await writeFile(hook, finishScript(modules), { mode: 0o700 });
  await runCommand(
    [
      findProgram('mmdebstrap') ?? 'mmdebstrap',
      '--variant=minbase',
      '--mode=root',
      `--include=${PACKAGES.join(',')}`,
      ...(await hostAptOptions()).map((option) => `--aptopt=${option}`),
      ...EXCLUDED_PATHS.map((path) => `--dpkgopt=path-exclude=${path}`),
      `--customize-hook=${hook} "$1"`,
      DEBIAN_SUITE,
      tar,
      ...lines,
    ],
    { timeoutMs: 15 * MINUTE, onLine: progress },
  );
}

/** How this machine reaches its mirror (proxy, certificates, snapshot dates) holds for the image's packages as well. */
async function hostAptOptions(): Promise<string[]> {
  const dump = await runCommand(['apt-config', 'dump', '--no-empty', 'Acquire'], { timeoutMs: 10_000 });
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(https?::(Proxy|CAInfo)|Check-(Valid-Until|Date))\b/i.test(line))
    .map((line) => line.replace(/;$/, ''));
}

/** Runs in the host with the new root as its argument, after all packages are configured. */
function finishScript(modules: string): string {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  return `#!/bin/sh
set -eu
root="$1"
chroot "$root" groupadd --gid ${AGENT_UID} agent
chroot "$root" useradd --uid ${AGENT_UID} --gid ${AGENT_UID} --no-create-home --home-dir /home/agent --shell /bin/bash agent
chroot "$root" groupadd --gid ${RELAY_UID} relay
chroot "$root" useradd --uid ${RELAY_UID} --gid ${RELAY_UID} --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin relay
install -d -o ${AGENT_UID} -g ${AGENT_UID} "$root/home/agent" "$root/workspace"
install -d "$root/run/caisson" "$root/opt/agents"
install -m 0644 '${join(recipeFolder(), 'gitconfig')}' "$root/etc/gitconfig"
install -m 0755 '${modules}/node-linux-${arch}/bin/node' "$root/usr/local/bin/node"
mkdir -p "$root/usr/local/lib/node_modules"
cp -r '${modules}/npm' "$root/usr/local/lib/node_modules/npm"
rm -rf "$root/usr/local/lib/node_modules/npm/docs" "$root/usr/local/lib/node_modules/npm/man"
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
chmod +x "$root/usr/local/lib/node_modules/npm/bin/npm-cli.js" "$root/usr/local/lib/node_modules/npm/bin/npx-cli.js"
# Programs that change user are of no use under no-new-privileges; without them nobody has to argue about it.
find "$root" -xdev -type f -perm /6000 -exec chmod a-s {} +
# The host's way to its mirror is not the sandbox's business.
rm -f "$root"/etc/apt/apt.conf.d/99mmdebstrap "$root"/etc/apt/sources.list "$root"/etc/apt/sources.list.d/*
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/tmp/*
`;
}
