import { describe, expect, test } from 'vitest';
import { parseChanges } from '../../../server/runs/changes.ts';

const TREE = 'a'.repeat(40);
const COMMIT = 'b'.repeat(40);
const listing = (numstat: string, log: string) => Buffer.from(`${TREE} ${COMMIT}\n${numstat}\n${log}`);

describe('the list of changes that git printed inside the sandbox', () => {
  test('names files, lines and commits', () => {
    const changes = parseChanges(listing('3\t1\tsrc/a.ts\0-\t-\tlogo.png\0', `${COMMIT} Fix it\0`));
    expect(changes).toEqual({
      tree: TREE,
      commit: COMMIT,
      files: [
        { path: 'src/a.ts', insertions: 3, deletions: 1 },
        { path: 'logo.png', insertions: 0, deletions: 0 },
      ],
      commits: [{ id: COMMIT, subject: 'Fix it' }],
    });
  });

  test('may be empty', () => {
    expect(parseChanges(listing('', ''))).toMatchObject({ files: [], commits: [] });
  });

  test('keeps a path that has line breaks and tabs in it', () => {
    const { files } = parseChanges(listing('1\t0\ta\nb\tc\0', ''));
    expect(files.map((file) => file.path)).toEqual(['a\nb\tc']);
  });

  test.each([
    ['nothing', Buffer.from('')],
    ['no ids', Buffer.from('hello\n\n')],
    ['a record without numbers', listing('src/a.ts\0', '')],
    ['a commit that is none', listing('', 'not-a-commit subject\0')],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x0a, 0x0a])],
  ])('is refused when it is %s', (_what, output) => {
    expect(() => parseChanges(output)).toThrow('malformed');
  });
});
