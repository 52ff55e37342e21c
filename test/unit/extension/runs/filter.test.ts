import { describe, expect, test } from 'vitest';
import { isFiltering, matches, NO_FILTER, type RunFilter } from '../../../../extension/runs/filter.ts';
import { aRun, runIdOf } from '../../../support/runs.ts';

const run = aRun({ title: 'Mend the parser', prompt: 'Mend the PARSER\nand its tests', state: 'failed' });

describe('the filter', () => {
  test.each<[Partial<RunFilter>, boolean]>([
    [{}, true],
    [{ text: '  ' }, true],
    [{ text: 'parser' }, true],
    [{ text: 'tests MEND' }, true],
    [{ text: 'parser lexer' }, false],
    [{ text: 'shell default' }, true],
    [{ text: runIdOf(1) }, true],
    [{ kind: 'not_succeeded' }, true],
    [{ kind: 'succeeded' }, false],
    [{ kind: 'active' }, false],
    [{ kind: 'waiting' }, false],
    [{ kind: 'not_succeeded', text: 'lexer' }, false],
  ])('%j', (filter, expected) => {
    expect(matches(run, { ...NO_FILTER, ...filter })).toBe(expected);
  });

  test('knows whether it filters', () => {
    expect([NO_FILTER, { ...NO_FILTER, text: ' ' }, { ...NO_FILTER, text: 'x' }].map(isFiltering)).toEqual([
      false,
      false,
      true,
    ]);
  });
});
