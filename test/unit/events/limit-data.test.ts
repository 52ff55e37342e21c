import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { limitData } from '../../../server/events/limit-data.ts';

const size = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

describe('the limit of an event', () => {
  test('what fits stays as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(limitData(plain, 1_000_000)).toEqual(plain);
      }),
    );
  });

  test('whatever comes in, what goes out fits, or is refused', () => {
    const bulky = fc.jsonValue({ stringUnit: 'binary', maxDepth: 4, depthSize: 'large' });
    fc.assert(
      fc.property(fc.array(bulky, { minLength: 1, maxLength: 30 }), (value) => {
        try {
          expect(size(limitData({ value }, 4000))).toBeLessThanOrEqual(4000);
        } catch (error) {
          // Only where what is left is structure alone.
          expect(error).toMatchObject({ code: 'payload_too_large' });
        }
      }),
    );
  });

  test.each<[string, unknown, unknown]>([
    ['a long string', { text: 'a'.repeat(5000) }, { text: `${'a'.repeat(1000)}…truncated (4000 more characters)` }],
    [
      'an emoji at the cut',
      { text: `${'a'.repeat(999)}${'😀'.repeat(2000)}` },
      { text: `${'a'.repeat(999)}…truncated (4000 more characters)` },
    ],
    [
      'a long list of strings',
      { argv: Array.from({ length: 3000 }, () => 'x') },
      { argv: [...Array.from({ length: 62 }, () => 'x'), '…truncated 2938 more'] },
    ],
    ['half a character', { text: 'a\ud83d' }, { text: 'a\ufffd' }],
    ['half a character in a name', { 'a\udc00': 1 }, { 'a\ufffd': 1 }],
  ])('cuts %s', (_what, value, expected) => {
    expect(limitData(value, 2000)).toEqual(expected);
  });

  test('keeps short strings whole, since they are ids, hashes and words of a schema', () => {
    const data = { sha256: 'f'.repeat(64), text: 'a'.repeat(10_000), options: [{ id: 'o', kind: 'allow_once' }] };
    expect(limitData(data, 1000)).toMatchObject({ sha256: data.sha256, options: data.options });
  });

  test('replaces what is too deep to be walked', () => {
    let deep: unknown = 1;
    for (let level = 0; level < 100_000; level++) deep = { deep };
    expect(JSON.stringify(limitData(deep, 10_000))).toMatch(/^(\{"deep":){64}"…truncated"\}{64}$/);
  });
});
