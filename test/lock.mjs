#!/usr/bin/env node
// `npm run lock`: brings package-lock.json in line with package.json, and completes it.
//
// npm leaves a package out of the lock file when the registry that it asked does not have it, as mirrors often lack the
// builds for other platforms; `npm ci` then refuses the file it wrote («Missing: … from lock file»). Each such package is
// entered here with its platform, so that `npm ci` knows that it is not for this machine and does not ask for it.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CPUS = ['arm64', 'arm', 'x64', 'ia32', 'ppc64', 'riscv64', 's390x', 'loong64'];
const SYSTEMS = ['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32', 'wasm32'];

const folder = process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url));
const { status } = spawnSync('npm', ['install', '--package-lock-only'], { cwd: folder, stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);

const file = join(folder, 'package-lock.json');
const lock = JSON.parse(readFileSync(file, 'utf8'));
let added = 0;
for (const [path, { optionalDependencies = {}, dev = false }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    if (isLocked(path, name)) continue;
    lock.packages[`node_modules/${name}`] = { version, ...(dev ? { dev } : {}), ...platformOf(name), optional: true };
    added++;
  }
}
const [root, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => (a < b ? -1 : 1))]);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`package-lock.json is complete: ${added} packages of other platforms were entered.`);

/** Node looks in the package's own node_modules, then in every one above it. */
function isLocked(path, name) {
  const parts = path.split('/node_modules/');
  const above = parts.map((_part, index) => `${parts.slice(0, index + 1).join('/node_modules/')}/node_modules/${name}`);
  return [`node_modules/${name}`, ...above].some((candidate) => lock.packages[candidate] !== undefined);
}

/** npm's own fields, read from the name, in which every such package carries its platform. */
function platformOf(name) {
  const words = name.split(/[/-]/);
  const os = SYSTEMS.find((system) => words.includes(system));
  const cpu = CPUS.find((kind) => words.includes(kind));
  if (!os || !cpu)
    throw new Error(`${name} is missing from the lock file, and its name does not say for which platform it is`);
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : undefined;
  return { cpu: [cpu], ...(libc ? { libc } : {}), os: [os] };
}
