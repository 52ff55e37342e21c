import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RowHeights, windowOf } from '../../../../webview/kit/row-heights.ts';

/** The same list, the slow way. */
const sum = (heights: readonly number[], end: number) => heights.slice(0, end).reduce((all, height) => all + height, 0);

describe('the heights of rows', () => {
  test('are estimates until they are measured', () => {
    const heights = new RowHeights(20);
    heights.resize(3);
    expect(heights.offset(3)).toBe(60);
    expect(heights.measure(1, 50)).toBe(true);
    expect([heights.offset(1), heights.offset(2), heights.offset(3)]).toEqual([20, 70, 90]);
    expect(heights.measure(1, 50.2)).toBe(false);
  });

  test('are forgotten when the list becomes shorter, for then it is another list', () => {
    const heights = new RowHeights(20);
    heights.resize(3);
    heights.measure(0, 100);
    heights.resize(2);
    expect(heights.offset(2)).toBe(40);
  });

  test('agree with plain addition, however rows are added and measured', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 1500 }) }),
      fc.record({ at: fc.nat(), height: fc.integer({ min: 1, max: 400 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.nat(100_000), (steps, offset) => {
        const heights = new RowHeights(24);
        const plain: number[] = [];
        for (const each of steps) {
          if ('add' in each) {
            plain.push(...Array.from({ length: each.add }, () => 24));
            heights.resize(plain.length);
          } else if (plain.length > 0) {
            heights.measure(each.at % plain.length, each.height);
            if (Math.abs(plain[each.at % plain.length]! - each.height) >= 0.5)
              plain[each.at % plain.length] = each.height;
          }
        }
        const end = Math.min(plain.length, 700);
        expect(heights.offset(end)).toBe(sum(plain, end));
        const row = heights.rowAt(offset);
        const inside = sum(plain, row) <= offset && offset < sum(plain, row + 1);
        const beyond = row === plain.length - 1 && offset >= sum(plain, row);
        expect(plain.length === 0 ? row === -1 : inside || beyond).toBe(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe('the rows that a viewport needs', () => {
  const heights = new RowHeights(10);
  heights.resize(100_000);

  test.each([
    ['at the top', 0, { first: 0, last: 15, above: 0, below: 999_840 }],
    ['in the middle', 500_000, { first: 49_995, last: 50_015, above: 499_950, below: 499_840 }],
    ['at the end', 999_900, { first: 99_985, last: 99_999, above: 999_850, below: 0 }],
    ['beyond the end', 5_000_000, { first: 99_999, last: 99_999, above: 999_990, below: 0 }],
  ])('%s', (_where, scrollTop, wanted) => {
    expect(windowOf(heights, scrollTop, 100, 50)).toEqual(wanted);
  });

  test('of an empty list: none', () => {
    expect(windowOf(new RowHeights(10), 0, 100, 50)).toEqual({ first: 0, last: -1, above: 0, below: 0 });
  });
});
