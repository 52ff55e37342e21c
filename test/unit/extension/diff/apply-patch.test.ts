import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { applyMerging, applyWhole } from '../../../../extension/diff/apply-patch.ts';
import { parsePatch } from '../../../../extension/diff/file-patch.ts';
import { changedSince, findTarget } from '../../../../extension/diff/target.ts';
import { Git } from '../../../../extension/git/run-git.ts';
import { aRunResult, git, type Files } from './workspace.ts';

const program = new Git('git');
let made: ReturnType<typeof aRunResult> | undefined;
afterEach(() => made?.dispose());

async function aResult(base: Files, changes: Files) {
  made?.dispose();
  made = aRunResult(base, changes);
  return { ...made, target: await findTarget(program, made.workspace) };
}
const many = Array.from({ length: 30 }, (_, i) => `line ${i}\n`);
const base = { 'a.txt': many.join(''), 'gone.txt': 'x\n', 'same.txt': 's\n' };
const changes = { 'a.txt': many.with(2, 'run\n').join(''), 'gone.txt': null, 'new.txt': 'n\n' };

describe('a workspace that is as the run found it', () => {
  test('takes the whole patch, and its index stays alone', async () => {
    const { target, patch, read, status } = await aResult(base, changes);
    expect(await changedSince(program, target, patch.files)).toEqual([]);
    expect(await applyWhole(program, target, patch)).toMatchObject({ applied: ['a.txt', 'gone.txt', 'new.txt'] });
    expect([read('a.txt'), read('gone.txt'), read('new.txt')]).toEqual([changes['a.txt'], undefined, 'n\n']);
    expect(status().map((line) => line.trim())).toEqual(['M a.txt', 'D gone.txt', '?? new.txt']);
  });

  test('also with uncommitted work that the run had', async () => {
    const { target, patch, write, read } = await aResult(base, changes);
    write({ 'same.txt': 'uncommitted\n' });
    expect(await changedSince(program, target, patch.files)).toEqual([]);
    expect(await applyWhole(program, target, patch)).toBeDefined();
    expect(read('same.txt')).toBe('uncommitted\n');
  });

  test('also without git', async () => {
    const { workspace, patch, read } = await aResult(base, changes);
    const target = await findTarget(undefined, workspace);
    expect(await changedSince(undefined, target, patch.files)).toEqual([]);
    expect(await applyWhole(undefined, target, patch)).toMatchObject({ applied: ['a.txt', 'gone.txt', 'new.txt'] });
    expect([read('a.txt'), read('gone.txt'), read('new.txt')]).toEqual([changes['a.txt'], undefined, 'n\n']);
  });

  test('also in a folder that is not under git', async () => {
    const { workspace, patch, read } = await aResult(base, changes);
    git(workspace, 'bundle', 'create', '-q', '../backup', 'HEAD');
    const { rmSync } = await import('node:fs');
    rmSync(join(workspace, '.git'), { recursive: true });
    const target = await findTarget(program, workspace);
    expect(target.repository).toBe(false);
    expect(await changedSince(program, target, patch.files)).toEqual([]);
    expect(await applyWhole(program, target, patch)).toBeDefined();
    expect(read('a.txt')).toBe(changes['a.txt']);
  });
});

test('files whose names git cannot be told in a line are looked at all the same', async () => {
  const names = ['with\nbreak.txt', '"quoted.txt', 'plain.txt'];
  const before = Object.fromEntries(names.map((name) => [name, 'before\n']));
  const after = Object.fromEntries(names.map((name) => [name, 'after\n']));
  const { target, patch, write } = await aResult(before, after);
  expect(await changedSince(program, target, patch.files)).toEqual([]);
  write({ [names[0]!]: 'mine\n' });
  expect(await changedSince(program, target, patch.files)).toEqual([names[0]]);
});

describe('a workspace that has changed since', () => {
  test('is noticed: changed, deleted and newly made files', async () => {
    const { target, patch, write } = await aResult(base, changes);
    write({ 'a.txt': 'other\n', 'gone.txt': 'mine\n', 'new.txt': 'mine\n', 'same.txt': 'no matter\n' });
    expect(await changedSince(program, target, patch.files)).toEqual(['a.txt', 'gone.txt', 'new.txt']);
  });

  test('but only to what the run made of it, takes the patch again and stays as it is', async () => {
    const { target, patch, write, read } = await aResult(base, changes);
    write({ 'a.txt': changes['a.txt'], 'gone.txt': null, 'new.txt': 'n\n' });
    expect(await changedSince(program, target, patch.files)).toEqual([]);
    expect(await applyWhole(program, target, patch)).toBeUndefined();
    expect(await applyMerging(program, target, patch)).toEqual({
      applied: ['a.txt', 'gone.txt', 'new.txt'],
      conflicts: [],
      skipped: [],
    });
    expect([read('a.txt'), read('gone.txt'), read('new.txt')]).toEqual([changes['a.txt'], undefined, 'n\n']);
  });

  test('is merged where the changes are elsewhere, uncommitted ones included', async () => {
    const { target, patch, write, read } = await aResult(base, changes);
    const mine = many.with(25, 'mine\n').join('');
    write({ 'a.txt': mine });
    git(target.top, 'add', 'a.txt');
    write({ 'a.txt': mine.replace('line 20', 'mine too') });
    const whole = (await applyWhole(program, target, patch)) ?? (await applyMerging(program, target, patch));
    expect(whole).toMatchObject({ conflicts: [], skipped: [] });
    expect(read('a.txt')).toBe(many.with(2, 'run\n').with(25, 'mine\n').with(20, 'mine too\n').join(''));
  });

  test('conflicts are marked in the file and known to the index', async () => {
    const { target, patch, write, read, status } = await aResult(base, changes);
    write({ 'a.txt': many.with(2, 'mine\n').join('') });
    expect(await applyWhole(program, target, patch)).toBeUndefined();
    expect(read('new.txt')).toBeUndefined();
    expect(await applyMerging(program, target, patch)).toEqual({
      applied: ['gone.txt', 'new.txt'],
      conflicts: ['a.txt'],
      skipped: [],
    });
    expect(read('a.txt')).toContain('<<<<<<< Workspace\nmine\n=======\nrun\n>>>>>>> Run\n');
    expect(status()).toContain('UU a.txt');
    const stage = (n: number) => git(target.top, 'show', `:${n}:a.txt`).toString();
    expect([stage(1), stage(2), stage(3)]).toEqual([base['a.txt'], many.with(2, 'mine\n').join(''), changes['a.txt']]);
  });

  test('a file that both made is a conflict without a base', async () => {
    const { target, patch, write, status } = await aResult(base, changes);
    write({ 'new.txt': 'mine\n' });
    expect(await applyMerging(program, target, patch)).toMatchObject({ conflicts: ['new.txt'] });
    expect(status()).toContain('AA new.txt');
  });

  test('nothing of the user’s is lost: deleted, changed and binary files are left as they are', async () => {
    const image = (byte: number) => Buffer.from([0, byte, 255]);
    const { target, patch, write, read } = await aResult(
      { ...base, 'b.bin': image(1), 'c.txt': 'c\n' },
      { ...changes, 'b.bin': image(2), 'c.txt': 'changed\n' },
    );
    write({ 'gone.txt': 'mine\n', 'b.bin': image(3), 'c.txt': null });
    expect(await applyMerging(program, target, patch)).toMatchObject({
      applied: ['a.txt', 'new.txt'],
      skipped: [
        { path: 'b.bin', why: 'binary' },
        { path: 'c.txt', why: 'deleted_here' },
        { path: 'gone.txt', why: 'changed_here' },
      ],
    });
    expect([read('gone.txt'), read('c.txt')]).toEqual(['mine\n', undefined]);
  });

  test('a file with CRLF line ends keeps them in a merge', async () => {
    const { target, patch, write, read } = await aResult(base, changes);
    write({ 'a.txt': many.with(25, 'mine\n').join('').replaceAll('\n', '\r\n') });
    expect(await applyMerging(program, target, patch)).toMatchObject({ conflicts: [], skipped: [] });
    expect(read('a.txt')).toBe(many.with(2, 'run\n').with(25, 'mine\n').join('').replaceAll('\n', '\r\n'));
  });

  test('without git nothing is written unless everything fits', async () => {
    const { workspace, patch, write, read } = await aResult(base, changes);
    write({ 'a.txt': 'other\n' });
    expect(await applyWhole(undefined, await findTarget(undefined, workspace), patch)).toBeUndefined();
    expect([read('new.txt'), read('gone.txt')]).toEqual([undefined, 'x\n']);
  });
});

describe('a hostile patch', () => {
  const evil = (path: string) =>
    Buffer.from(
      `diff --git a/${path} b/${path}\nnew file mode 100644\nindex ${'0'.repeat(40)}..${'1'.repeat(40)}\n--- /dev/null\n+++ b/${path}\n@@ -0,0 +1 @@\n+evil\n`,
    );

  test.each(['../outside', '.git/hooks/pre-commit', 'link/outside', 'sub/../../outside'])(
    'does not write %s',
    async (path) => {
      const { target, root } = await aResult(base, changes);
      symlinkSync(root, join(target.top, 'link'));
      const bytes = evil(path);
      const patch = { bytes, files: parsePatch(bytes), blob: async () => Buffer.from('evil\n') };
      for (const how of [program, undefined]) expect(await applyWhole(how, target, patch)).toBeUndefined();
      const merged = await applyMerging(program, target, patch);
      expect([merged.applied, merged.conflicts]).toEqual([[], []]);
      expect(existsSync(join(root, 'outside'))).toBe(false);
      expect(existsSync(join(target.top, '.git/hooks/pre-commit'))).toBe(false);
    },
  );
});
