import assert from 'node:assert/strict';
import test from 'node:test';
import { median, range } from '../src/summary.js';

test('the range is the distance between the extremes', () => {
  assert.equal(range([19, 21, 20]), 2);
});

test('the median of readings that cross from 9 to 10 degrees', () => {
  assert.equal(median([8, 9, 10, 11, 12]), 10);
});
