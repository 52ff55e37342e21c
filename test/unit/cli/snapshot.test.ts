import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { snapshot, type SnapshotOptions } from '../../../server/cli/git/snapshot.ts';

let root: string;
let repo: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caisson-snapshot-test-'));
  repo = join(root, 'project');
  mkdirSync(repo);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const IDENTITY = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com', '-c', 'protocol.file.allow=always'];
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', [...IDENTITY, ...args], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
const write = (path: string, content: string | Uint8Array, base = repo) => {
  mkdirSync(join(base, path, '..'), { recursive: true });
  writeFileSync(join(base, path), content);
};

function initialized(): void {
  git(repo, 'init', '-q', '-b', 'main');
  write('a.txt', 'one\n');
  write('src/b.txt', 'two\n');
  git(repo, 'add', '.');
  git(repo, 'commit', '-q', '-m', 'first');
}

/** Takes the snapshot and checks it out as the server does: from the bundle alone. */
async function unpacked(folder = repo, options: SnapshotOptions = {}) {
  const target = mkdtempSync(join(root, 'out-'));
  await using made = await snapshot(folder, options);
  const { commit, uncommitted, warnings, path, bytes } = made;
  expect(statSync(path).size).toBe(bytes);
  git(target, 'init', '-q', '-b', 'work');
  git(target, 'fetch', '-q', '--no-tags', path, 'refs/heads/caisson-source');
  git(target, 'checkout', '-q', '-B', 'work', 'FETCH_HEAD');
  expect(git(target, 'rev-parse', 'HEAD')).toBe(commit);
  const read = (name: string) => readFileSync(join(target, name), 'utf8');
  const files = git(target, 'ls-files').split('\n').filter(Boolean);
  return { target, commit, uncommitted, warnings, path, read, files };
}

/** Every file, with its content. Not its time: git refreshes that of objects it comes across, so that gc spares them. */
function fingerprint(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => `${path} ${createHash('sha256').update(readFileSync(path)).digest('hex')}`)
    .sort();
}

describe('what is in a snapshot', () => {
  test('a clean working tree is the commit itself, history included', async () => {
    initialized();
    write('a.txt', 'one more\n');
    git(repo, 'commit', '-qam', 'second');
    const made = await unpacked();
    expect(made.commit).toBe(git(repo, 'rev-parse', 'HEAD'));
    expect(made).toMatchObject({ uncommitted: 0, warnings: [] });
    expect(git(made.target, 'log', '--format=%s')).toBe('second\nfirst');
  });

  test('modified, staged, deleted, renamed, untracked and binary files; ignored ones are not', async () => {
    initialized();
    write('.gitignore', 'secret.env\nnode_modules/\n');
    write('a.txt', 'changed\n');
    write('staged.txt', 'staged\n');
    git(repo, 'add', 'staged.txt');
    write('staged.txt', 'and changed again\n');
    rmSync(join(repo, 'src/b.txt'));
    const binary = Uint8Array.from({ length: 4096 }, (_, i) => i % 256);
    write('image.bin', binary);
    write('naïve name — 1.txt', 'odd\n');
    write('secret.env', 'TOKEN=1\n');
    write('node_modules/x/index.js', '');
    symlinkSync('a.txt', join(repo, 'link'));
    const made = await unpacked();
    const names = ['.gitignore', 'a.txt', 'image.bin', 'link', 'naïve name — 1.txt', 'staged.txt'];
    expect(
      readdirSync(made.target)
        .filter((name) => name !== '.git')
        .sort(),
    ).toEqual(names.sort());
    expect(made.read('a.txt')).toBe('changed\n');
    expect(made.read('staged.txt')).toBe('and changed again\n');
    expect(readFileSync(join(made.target, 'image.bin')).equals(binary)).toBe(true);
    expect(made.uncommitted).toBe(7);
    expect(git(made.target, 'rev-parse', 'HEAD^')).toBe(git(repo, 'rev-parse', 'HEAD'));
  });

  test('a file that changed in the same second and to the same length as the index was written', async () => {
    initialized();
    // Git compares size and time only, unless the file is as young as the index; both are made equal here.
    const time = Math.floor(Date.now() / 1000) - 5;
    utimesSync(join(repo, 'a.txt'), time, time);
    git(repo, 'add', 'a.txt');
    write('a.txt', 'two\n');
    utimesSync(join(repo, 'a.txt'), time, time);
    utimesSync(join(repo, '.git', 'index'), time, time);
    expect((await unpacked()).read('a.txt')).toBe('two\n');
  });

  test('a conflicted merge goes in as it lies there', async () => {
    initialized();
    git(repo, 'checkout', '-q', '-b', 'other');
    write('a.txt', 'theirs\n');
    git(repo, 'commit', '-qam', 'theirs');
    git(repo, 'checkout', '-q', 'main');
    write('a.txt', 'ours\n');
    git(repo, 'commit', '-qam', 'ours');
    expect(() => git(repo, 'merge', '-q', 'other')).toThrow();
    expect((await unpacked()).read('a.txt')).toContain('<<<<<<<');
  });

  test('from a subfolder it is still the whole repository', async () => {
    initialized();
    expect((await unpacked(join(repo, 'src'))).files).toEqual(['a.txt', 'src/b.txt']);
  });

  test('another commit, by name', async () => {
    initialized();
    git(repo, 'tag', 'v1');
    write('a.txt', 'later\n');
    git(repo, 'commit', '-qam', 'later');
    write('a.txt', 'not committed\n');
    expect((await unpacked(repo, { ref: 'v1' })).read('a.txt')).toBe('one\n');
    await expect(snapshot(repo, { ref: '--output=x' })).rejects.toThrow(/no branch, tag or commit/);
  });
});

describe('shapes of repositories', () => {
  test('without a commit yet', async () => {
    git(repo, 'init', '-q');
    write('new.txt', 'new\n');
    const made = await unpacked();
    expect(made.files).toEqual(['new.txt']);
    expect(made.uncommitted).toBe(1);
  });

  test('without anything at all', async () => {
    git(repo, 'init', '-q');
    expect((await unpacked()).files).toEqual([]);
  });

  test('with a detached HEAD', async () => {
    initialized();
    git(repo, 'checkout', '-q', '--detach');
    write('a.txt', 'detached\n');
    expect((await unpacked()).read('a.txt')).toBe('detached\n');
  });

  test('a linked worktree', async () => {
    initialized();
    git(repo, 'worktree', 'add', '-q', join(root, 'linked'), '-b', 'side');
    write('a.txt', 'in the linked one\n', join(root, 'linked'));
    expect((await unpacked(join(root, 'linked'))).read('a.txt')).toBe('in the linked one\n');
  });

  test('a shallow clone: its files, without the history that it does not have', async () => {
    initialized();
    write('a.txt', 'second\n');
    git(repo, 'commit', '-qam', 'second');
    const clone = join(root, 'shallow');
    git(root, 'clone', '-q', '--depth', '1', `file://${repo}`, clone);
    write('a.txt', 'dirty\n', clone);
    const made = await unpacked(clone);
    expect(made.read('a.txt')).toBe('dirty\n');
    expect(made.warnings).toEqual([expect.stringContaining('shallow')]);
    expect(git(made.target, 'rev-list', '--count', 'HEAD')).toBe('1');
  });

  test('with a submodule, which is named as left out', async () => {
    const library = join(root, 'library');
    mkdirSync(library);
    git(library, 'init', '-q');
    write('lib.txt', 'lib\n', library);
    git(library, 'add', '.');
    git(library, 'commit', '-q', '-m', 'lib');
    initialized();
    git(repo, 'submodule', 'add', '-q', library, 'vendor/library');
    write('vendor/library/lib.txt', 'dirty\n');
    const made = await unpacked();
    expect(made.warnings).toEqual([expect.stringContaining('vendor/library')]);
    expect(made.files).toContain('.gitmodules');
  });

  test('a folder that is not under git, without a trace left in it', async () => {
    write('.gitignore', '*.log\n');
    write('main.py', 'print(1)\n');
    write('debug.log', 'x');
    expect((await unpacked()).files).toEqual(['.gitignore', 'main.py']);
    expect(existsSync(join(repo, '.git'))).toBe(false);
  });

  test('one that uses SHA-256', async () => {
    git(repo, 'init', '-q', '--object-format=sha256');
    write('a.txt', 'a\n');
    await using made = await snapshot(repo);
    expect(made.commit).toMatch(/^[0-9a-f]{64}$/);
  });

  test('a split index', async () => {
    initialized();
    git(repo, 'update-index', '--split-index');
    write('c.txt', 'three\n');
    const before = fingerprint(join(repo, '.git'));
    expect((await unpacked()).files).toContain('c.txt');
    expect(fingerprint(join(repo, '.git'))).toEqual(before);
  });
});

describe('what a snapshot leaves alone', () => {
  test('the git directory: index, refs, objects, stash and all', async () => {
    initialized();
    write('stashed.txt', 'x\n');
    git(repo, 'add', '.');
    git(repo, 'stash', '-q');
    write('a.txt', 'dirty\n');
    write('b.txt', 'untracked\n');
    git(repo, 'add', 'b.txt');
    const status = git(repo, 'status', '--porcelain');
    const before = fingerprint(repo);
    await unpacked();
    expect(fingerprint(repo)).toEqual(before);
    expect(git(repo, 'status', '--porcelain')).toBe(status);
  });

  test('hooks and the file system monitor do not run', async () => {
    initialized();
    const trap = join(root, 'trap.sh');
    writeFileSync(trap, `#!/bin/sh\necho "$0" >> ${join(root, 'ran')}\n`);
    chmodSync(trap, 0o755);
    for (const hook of [
      'post-index-change',
      'pre-commit',
      'reference-transaction',
      'fsmonitor-watchman',
      'post-commit',
    ])
      cpSync(trap, join(repo, '.git', 'hooks', hook));
    git(repo, 'config', 'core.fsmonitor', trap);
    rmSync(join(root, 'ran'), { force: true });
    write('a.txt', 'dirty\n');
    expect((await unpacked()).read('a.txt')).toBe('dirty\n');
    expect(existsSync(join(root, 'ran'))).toBe(false);
    // The trap is a real one: git by itself would have sprung it.
    git(repo, 'status');
    expect(existsSync(join(root, 'ran'))).toBe(true);
  });

  test('git variables of a surrounding hook do not lead it elsewhere', async () => {
    initialized();
    process.env['GIT_DIR'] = join(root, 'nowhere');
    try {
      await using made = await snapshot(repo);
      expect(made.bytes).toBeGreaterThan(0);
    } finally {
      delete process.env['GIT_DIR'];
    }
  });

  test('nothing stays in the temporary folder, also after a failure', async () => {
    initialized();
    const mine = () => readdirSync(tmpdir()).filter((name) => name.startsWith('caisson-source-'));
    const before = mine();
    const { path } = await unpacked();
    expect(existsSync(path)).toBe(false);
    await expect(snapshot(repo, { ref: 'nothing' })).rejects.toThrow();
    expect(mine()).toEqual(before);
  });
});

describe('what cannot be a source is refused with a sentence', () => {
  test.each([
    ['a folder that does not exist', () => join(root, 'none'), /is not a folder/],
    ['a file', () => (write('f', ''), join(repo, 'f')), /is not a folder/],
    ['the root folder', () => '/', /is not a project folder/],
    ['a git directory', () => (initialized(), join(repo, '.git')), /has no working tree/],
  ])('%s', async (_name, folder, message) => {
    await expect(snapshot(folder())).rejects.toThrow(message);
  });

  test('a nested repository without a commit', async () => {
    initialized();
    mkdirSync(join(repo, 'nested'));
    git(join(repo, 'nested'), 'init', '-q');
    await expect(snapshot(repo)).rejects.toThrow(/nested/);
  });

  test('an abort while it works', async () => {
    initialized();
    await expect(snapshot(repo, { signal: AbortSignal.abort(new Error('enough')) })).rejects.toThrow();
  });
});
