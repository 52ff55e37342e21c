#!/usr/bin/env node
// Starts the command line from a plain checkout: makes sure that the dependencies are those of the lock file and that
// dist/ is built from the sources as they are, then runs dist/server/cli/main.js in this process. Plain JavaScript
// without dependencies, since it runs before there are any. When nothing is to be done it costs a few milliseconds.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OLDEST_NODE = [20, 19];
const LOCK_DEADLINE_MS = 300_000;
const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const dist = join(root, 'dist');
const stampFile = join(dist, '.built');

requireNode();
if (!dependenciesFit() || !isBuilt()) prepare();
const { main } = await import(pathToFileURL(join(dist, 'server', 'cli', 'main.js')).href);
await main();

function requireNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  fail(`Caisson needs Node ${OLDEST_NODE.join('.')} or later; this is ${process.versions.node} (${process.execPath}).`);
}

/** Two starts at once must not install or build into each other: the second waits, then finds the work done. */
function prepare() {
  mkdirSync(dist, { recursive: true });
  const lock = join(dist, '.preparing');
  takeLock(lock);
  // `exit` also comes after process.exit(); an interrupted preparation leaves a lock whose owner is dead.
  const release = () => rmSync(lock, { recursive: true, force: true });
  process.once('exit', release);
  if (!dependenciesFit()) install();
  if (!isBuilt()) build();
  release();
  process.off('exit', release);
}

function takeLock(lock) {
  for (const deadline = Date.now() + LOCK_DEADLINE_MS; Date.now() < deadline; pause(100)) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      return;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      const owner = readOr(lock, '');
      // Empty: its owner is just about to write its number.
      if (owner !== '' && !isAlive(Number(owner))) rmSync(lock, { force: true });
    }
  }
  fail(`Another process has been preparing Caisson for too long. If there is none, delete ${lock}.`);
}

/** npm keeps what it installed in node_modules/.package-lock.json: compared entry by entry, times say nothing. */
function dependenciesFit() {
  const wanted = packagesOf('package-lock.json');
  const present = packagesOf(join('node_modules', '.package-lock.json'));
  if (!wanted) fail('package-lock.json is missing or broken: this is not a complete copy of Caisson.');
  if (!present) return false;
  return Object.entries(wanted).every(([path, entry]) => {
    if (path === '') return true;
    const found = present[path];
    if (!found)
      return entry.optional === true || entry.devOptional === true || entry.dev === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), 'utf8')).packages;
  } catch {
    return undefined; // Not there, or cut off by an interrupted installation: the same to the caller.
  }
}

function install() {
  run('Installing dependencies (npm ci)', 'npm', ['ci', '--no-audit', '--no-fund']);
}

/** Without type checks, which are `npm run check`'s: starting must not wait for them, nor fail for a test's types. */
function build() {
  const compiler = join(root, 'node_modules', '.bin', 'tsc');
  // An installation without development packages has no compiler.
  if (!exists(compiler)) install();
  const state = sourceState();
  rmSync(stampFile, { force: true });
  run('Building', compiler, ['-p', join(root, 'tsconfig.json'), '--noCheck']);
  writeFileSync(stampFile, state);
}

function isBuilt() {
  const stamp = readOr(stampFile, undefined);
  // A published package brings dist/ and no sources.
  return stamp !== undefined && (!exists(join(root, 'tsconfig.json')) || stamp === sourceState());
}

/** Changes with every edit, addition, removal and check-out of a source. */
function sourceState() {
  let newest = 0;
  let count = 0;
  const look = (path) => {
    newest = Math.max(newest, statSync(path).mtimeMs);
    count += 1;
  };
  const walk = (folder) => {
    look(folder);
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (/\.(ts|json)$/.test(entry.name)) look(path);
    }
  };
  for (const file of ['tsconfig.json', 'package.json']) look(join(root, file));
  for (const folder of ['server', 'shared']) walk(join(root, folder));
  return `${newest} ${count}`;
}

/** Says what it does on stderr, so that stdout is the command's own; shows the output only when it fails. */
function run(what, program, args) {
  const started = Date.now();
  process.stderr.write(`${what} … `);
  const result = spawnSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  process.stderr.write(`${((Date.now() - started) / 1000).toFixed(1)} s\n`);
  if (result.error) fail(`${program} could not be started: ${result.error.message}`);
  if (result.status !== 0) fail(`${what} failed:\n${shortened(`${result.stdout}${result.stderr}`)}`);
}

/** npm says what is wrong at the beginning, compilers at the end. */
function shortened(output) {
  const lines = output.trim().split('\n');
  return lines.length <= 40 ? lines.join('\n') : [...lines.slice(0, 20), '…', ...lines.slice(-20)].join('\n');
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

function readOr(file, fallback) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback; // Not there.
  }
}

function exists(path) {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isAlive(pid) {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function pause(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
