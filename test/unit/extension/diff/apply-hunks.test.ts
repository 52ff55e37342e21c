import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { applyHunks } from '../../../../extension/diff/apply-hunks.ts';
import { parsePatch } from '../../../../extension/diff/file-patch.ts';
import { aRunResult } from './workspace.ts';

let made: ReturnType<typeof aRunResult> | undefined;
afterEach(() => made?.dispose());

const file = (base: string, changed: string) => {
  made?.dispose();
  made = aRunResult({ a: base }, { a: changed });
  return made.patch.files[0]!;
};
const many = Array.from({ length: 40 }, (_, i) => `line ${i}\n`);

describe('hunks without git', () => {
  test.each([
    ['in the middle', many.join(''), many.with(20, 'x\n').join('')],
    ['at both ends', many.join(''), many.with(0, 'x\n').with(39, 'y\n').join('')],
    ['a last line without its break', 'a\nb', 'a\nc'],
    ['that takes the break away', 'a\nb\n', 'a\nb'],
    ['from nothing', '', 'a\nb\n'],
    ['to nothing', 'a\nb\n', ''],
    ['with carriage returns of its own', 'a\r\nb\r\n', 'a\r\nc\r\n'],
  ])('a change %s', (_name, base, changed) => {
    expect(applyHunks(base, file(base, changed))).toBe(changed);
  });

  test('lines that were added above move the place', () => {
    const patch = file(many.join(''), many.with(20, 'x\n').join(''));
    expect(applyHunks(`new\n${many.join('')}`, patch)).toBe(`new\n${many.with(20, 'x\n').join('')}`);
  });

  test('a workspace with CRLF keeps it', () => {
    const patch = file('a\nb\nc\n', 'a\nB\nc\n');
    expect(applyHunks('a\r\nb\r\nc\r\n', patch)).toBe('a\r\nB\r\nc\r\n');
  });

  test('what does not fit is not forced', () => {
    const patch = file('a\nb\nc\n', 'a\nB\nc\n');
    expect(applyHunks('a\nX\nc\n', patch)).toBeUndefined();
  });

  test('agrees with git on every change', () => {
    const text = fc.array(fc.constantFrom('a\n', 'b\n', 'c\n', '\n'), { maxLength: 12 }).map((all) => all.join(''));
    fc.assert(
      fc.property(text, text, (base, changed) => {
        fc.pre(base !== changed);
        const result = aRunResult({ a: base }, { a: changed });
        try {
          const patch = parsePatch(result.patch.bytes)[0]!;
          expect(applyHunks(base, patch)).toBe(changed);
        } finally {
          result.dispose();
        }
      }),
      { numRuns: 12 },
    );
  });
});
