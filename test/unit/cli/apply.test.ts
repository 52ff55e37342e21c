import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { applyPatch, fetchBranch } from '../../../server/cli/git/apply.ts';
import { snapshot } from '../../../server/cli/git/snapshot.ts';

let root: string;
let repo: string;
let sandbox: string;
const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', ['-c', 'user.name=T', '-c', 'user.email=t@example.com', ...args], {
    cwd,
    encoding: 'utf8',
  }).trim();
const write = (folder: string, name: string, text: string) => writeFileSync(join(folder, name), text);
const read = (name: string) => readFileSync(join(repo, name), 'utf8');

/** The user's repository, and what the sandbox makes of a snapshot of it: the source as base, one commit on top. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'caisson-apply-test-'));
  repo = join(root, 'repo');
  sandbox = join(root, 'sandbox');
  mkdirSync(repo);
  mkdirSync(sandbox);
  git(repo, 'init', '-q', '-b', 'main');
  write(repo, 'a.txt', 'one\ntwo\nthree\n');
  git(repo, 'add', '.');
  git(repo, 'commit', '-q', '-m', 'first');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

async function work(): Promise<{ patch: Buffer; bundle: string; base: string }> {
  await using source = await snapshot(repo);
  git(sandbox, 'init', '-q', '-b', 'caisson/x');
  git(sandbox, 'fetch', '-q', source.path, 'refs/heads/caisson-source');
  git(sandbox, 'checkout', '-q', '-B', 'caisson/x', 'FETCH_HEAD');
  write(sandbox, 'a.txt', readFileSync(join(sandbox, 'a.txt'), 'utf8').replace('two', 'TWO'));
  git(sandbox, 'commit', '-qam', 'Shout');
  const bundle = join(root, 'run.bundle');
  git(sandbox, 'bundle', 'create', '-q', bundle, 'refs/heads/caisson/x', '--not', `${source.commit}^@`);
  return { patch: Buffer.from(git(sandbox, 'diff', '--binary', source.commit) + '\n'), bundle, base: source.commit };
}

describe('the patch of a run that began with uncommitted changes', () => {
  test('applies to the tree that it was made from, and leaves the index alone', async () => {
    write(repo, 'a.txt', 'zero\none\ntwo\nthree\n');
    const { patch } = await work();
    expect(await applyPatch(patch, repo)).toEqual({ outcome: 'applied' });
    expect(read('a.txt')).toBe('zero\none\nTWO\nthree\n');
    expect(git(repo, 'diff', '--cached', '--name-only')).toBe('');
  });

  test('applies from a subfolder to the whole tree', async () => {
    const { patch } = await work();
    mkdirSync(join(repo, 'sub'));
    expect(await applyPatch(patch, join(repo, 'sub'))).toEqual({ outcome: 'applied' });
    expect(read('a.txt')).toContain('TWO');
  });

  test('is merged into a tree that went on in the same place and was committed', async () => {
    const { patch } = await work();
    write(repo, 'a.txt', 'one\n2\nthree\n');
    git(repo, 'commit', '-qam', 'went on');
    expect(await applyPatch(patch, repo)).toEqual({ outcome: 'merged', conflicts: ['a.txt'] });
    expect(read('a.txt')).toMatch(/<<<<<<< ours\n2\n=======\nTWO\n>>>>>>> theirs/);
  });

  test('does not touch uncommitted work in the same place', async () => {
    const { patch } = await work();
    write(repo, 'a.txt', 'one\n2\nthree\n');
    expect(await applyPatch(patch, repo)).toMatchObject({
      outcome: 'refused',
      reason: expect.stringContaining('a.txt'),
    });
    expect(read('a.txt')).toBe('one\n2\nthree\n');
  });

  test('applies where there is no git at all', async () => {
    const { patch } = await work();
    rmSync(join(repo, '.git'), { recursive: true });
    expect(await applyPatch(patch, repo)).toEqual({ outcome: 'applied' });
  });
});

describe('the branch of a run', () => {
  test.each(['clean', 'dirty'])('stands on the user’s history (%s tree), and nothing is checked out', async (tree) => {
    if (tree === 'dirty') write(repo, 'b.txt', 'untracked\n');
    const { bundle } = await work();
    const { commit } = await fetchBranch(bundle, 'shout', repo);
    expect(git(repo, 'log', '--format=%s', 'shout').split('\n')).toEqual(
      ['Shout', tree === 'dirty' ? 'Workspace at the start of the run' : '', 'first'].filter(Boolean),
    );
    expect(git(repo, 'rev-parse', 'shout')).toBe(commit);
    expect(git(repo, 'symbolic-ref', '--short', 'HEAD')).toBe('main');
    expect(read('a.txt')).toContain('two');
  });

  test.each([
    ['exists', 'main', /exists already/],
    ['is no name', 'a..b', /not a branch name/],
    ['is an option', '--upload-pack=x', /not a branch name/],
  ])('a name that %s is refused', async (_name, branch, message) => {
    const { bundle } = await work();
    await expect(fetchBranch(bundle, branch, repo)).rejects.toThrow(message);
  });

  test('another repository is told that it is another one', async () => {
    // With uncommitted work the base has a parent, which stays out of the bundle.
    write(repo, 'b.txt', 'untracked\n');
    const { bundle } = await work();
    const other = join(root, 'other');
    mkdirSync(other);
    git(other, 'init', '-q');
    await expect(fetchBranch(bundle, 'shout', other)).rejects.toThrow(/does not have the commit/);
  });
});
