import { afterEach, describe, expect, test } from 'vitest';
import { excerpt } from '../../../../extension/diff/excerpt.ts';
import { parsePatch } from '../../../../extension/diff/file-patch.ts';
import { aRunResult, git, type Files } from './workspace.ts';

let made: ReturnType<typeof aRunResult> | undefined;
afterEach(() => made?.dispose());

function patchOf(base: Files, changes: Files) {
  made?.dispose();
  made = aRunResult(base, changes);
  return made.patch;
}
const lines = (...all: (string | number)[]) => `${all.join('\n')}\n`;
const many = Array.from({ length: 60 }, (_, i) => `line ${i}`);

describe('a patch as git writes it', () => {
  test('added, changed, deleted, binary and empty files, with the counts that git gives', () => {
    const { files } = patchOf(
      { 'a.txt': lines(1, 2, 3), 'gone.txt': lines('x'), 'image.bin': Buffer.from([0, 1, 2]) },
      {
        'a.txt': lines(1, 'two', 3, 4),
        'gone.txt': null,
        'image.bin': Buffer.from([0, 9, 9, 0]),
        'new/deep.txt': lines('n'),
        'empty.txt': '',
      },
    );
    expect(
      files.map(({ path, status, binary, insertions, deletions }) => [path, status, binary, insertions, deletions]),
    ).toEqual([
      ['a.txt', 'modified', false, 2, 1],
      ['empty.txt', 'added', false, 0, 0],
      ['gone.txt', 'deleted', false, 0, 1],
      ['image.bin', 'modified', true, 0, 0],
      ['new/deep.txt', 'added', false, 1, 0],
    ]);
    expect(files.find(({ path }) => path === 'gone.txt')?.newId).toBeUndefined();
    expect(files.find(({ path }) => path === 'empty.txt')).toMatchObject({ mode: '100644' });
  });

  test('names with spaces, quotes, line breaks and every kind of letter', () => {
    const names = ['with space.txt', 'quo"te\\.txt', 'tab\there', 'line\nbreak', 'ünï/文件.txt', 'a b/a b/c', ' b/x'];
    const { files } = patchOf({}, Object.fromEntries(names.map((name) => [name, 'x\n'])));
    expect(files.map(({ path }) => path).toSorted()).toEqual(names.toSorted());
    const empty = patchOf({}, Object.fromEntries(names.map((name) => [name, ''])));
    expect(empty.files.map(({ path }) => path).toSorted()).toEqual(names.toSorted());
  });

  test('the parts together are the whole, whatever the files contain', () => {
    const tricky = lines('diff --git a/x b/x', '--- a/x', '+++ b/x', '@@ -1 +1 @@', '', '\rdiff --git a/y b/y');
    const { bytes, files } = patchOf(
      { 'a.txt': tricky, 'b.txt': 'no end' },
      { 'a.txt': `${tricky}more\n`, 'b.txt': tricky },
    );
    expect(files.map(({ path }) => path)).toEqual(['a.txt', 'b.txt']);
    const whole = Buffer.from(bytes);
    expect(Buffer.concat(files.map(({ start, end }) => whole.subarray(start, end)))).toEqual(whole);
  });

  test('the blobs are named whole', () => {
    const { files } = patchOf({ 'a.txt': 'one\n' }, { 'a.txt': 'two\n' });
    const blob = (id = '') => git(made!.sandbox, 'cat-file', 'blob', id).toString();
    expect([blob(files[0]?.oldId), blob(files[0]?.newId)]).toEqual(['one\n', 'two\n']);
  });

  test('an empty patch has no files', () => expect(parsePatch(new Uint8Array())).toEqual([]));

  test.each(['hello', 'diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n+c\n'])(
    'what git does not write is refused: %j',
    (text) => expect(() => parsePatch(Buffer.from(text))).toThrow(/patch/),
  );
});

describe('an excerpt, for bases that are not on this machine', () => {
  test('shows the hunks, and the same gaps on both sides', () => {
    const changed = many.with(5, 'changed').with(50, 'too');
    const { files } = patchOf({ 'a.txt': lines(...many) }, { 'a.txt': lines(...changed) });
    const [before, after] = (['before', 'after'] as const).map((side) => excerpt(files[0]!, side));
    expect(before?.match(/^⋯.*$/gm)).toEqual(after?.match(/^⋯.*$/gm));
    expect(before).toContain('line 5\n');
    expect(after).toContain('changed\n');
    expect(after).not.toContain('line 50\n');
    expect(before).not.toContain('line 30\n');
  });
});
