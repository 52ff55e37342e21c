import { array, assert as check, asyncProperty, constantFrom, property, string, tuple } from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createCoalescer } from '../../../server/acp/coalescer.ts';
import { limited, limitedValue, wellFormed } from '../../../server/acp/text.ts';

afterEach(() => void vi.useRealTimers());

function recorder() {
  const written: [string, string][] = [];
  const write = (channel: string, text: string) => Promise.resolve(void written.push([channel, text]));
  return { written, write, onError: vi.fn<(error: unknown) => void>() };
}

describe('coalescing', () => {
  it('loses nothing, reorders nothing and mixes nothing, however the pieces fall', async () => {
    const piece = tuple(constantFrom('a', 'b'), string({ unit: 'grapheme', maxLength: 30 }));
    await check(
      asyncProperty(array(piece, { maxLength: 40 }), async (pieces) => {
        const { written, write, onError } = recorder();
        const coalescer = createCoalescer<string>({ write, onError, maxChars: 16, delayMs: 60_000 });
        for (const [channel, text] of pieces) await coalescer.push(channel, text);
        await coalescer.flush();
        const join = (list: readonly (readonly [string, string])[]) => {
          const runs: [string, string][] = [];
          for (const [channel, text] of list) {
            const last = runs.at(-1);
            if (text === '') continue;
            if (last?.[0] === channel) last[1] += text;
            else runs.push([channel, text]);
          }
          return runs;
        };
        expect(join(written)).toEqual(join(pieces));
        expect(Math.max(0, ...written.map(([, text]) => text.length))).toBeLessThanOrEqual(16);
      }),
    );
  });

  it('writes what waits after the delay', async () => {
    vi.useFakeTimers();
    const { written, write, onError } = recorder();
    const coalescer = createCoalescer<string>({ write, onError, delayMs: 100 });
    await coalescer.push('a', 'one ');
    await vi.advanceTimersByTimeAsync(60);
    await coalescer.push('a', 'two');
    expect(written).toEqual([]);
    await vi.advanceTimersByTimeAsync(60);
    expect(written).toEqual([['a', 'one two']]);
  });

  it('does not split a character that comes in two halves', async () => {
    vi.useFakeTimers();
    const { written, write, onError } = recorder();
    const coalescer = createCoalescer<string>({ write, onError, delayMs: 10 });
    await coalescer.push('a', 'x\ud83d');
    await vi.advanceTimersByTimeAsync(20);
    await coalescer.push('a', '\ude00');
    await coalescer.flush();
    expect(written).toEqual([
      ['a', 'x'],
      ['a', '😀'],
    ]);
  });

  it('tells about a write that failed while nobody waited, and refuses more', async () => {
    vi.useFakeTimers();
    const failure = new Error('disk full');
    const onError = vi.fn<(error: unknown) => void>();
    const coalescer = createCoalescer<string>({ write: () => Promise.reject(failure), onError, delayMs: 10 });
    await coalescer.push('a', 'x');
    await vi.advanceTimersByTimeAsync(20);
    expect(onError).toHaveBeenCalledWith(failure);
    await expect(coalescer.push('a', 'y')).rejects.toBe(failure);
  });
});

describe('text that can be stored', () => {
  it('has no half characters', () => {
    check(
      property(string({ unit: 'binary' }), (text) => {
        const broken = text.slice(0, Math.ceil(text.length / 2));
        expect(Buffer.from(wellFormed(broken)).toString()).toBe(wellFormed(broken));
      }),
    );
    expect(wellFormed('a\ud800b\udc00c😀')).toBe('a\ufffdb\ufffdc😀');
  });

  it('says how much is missing', () => {
    expect(limited('abcdef', 4)).toBe('abcd… (2 more characters)');
    expect(limited('abc😀', 4)).toBe('abc… (2 more characters)');
  });

  it('bounds depth, members and strings of a value', () => {
    const limits = { depth: 2, members: 3, stringLength: 5 };
    expect(limitedValue({ a: { b: { c: 1 } } }, limits)).toEqual({ a: { b: '…' } });
    expect(limitedValue([1, 2, 3, 4, 5], limits)).toEqual([1, 2, 3, '…']);
    expect(limitedValue('abcdefgh', limits)).toBe('abcde… (3 more characters)');
    let deep: unknown = 1;
    for (let i = 0; i < 20_000; i++) deep = [deep];
    expect(limitedValue(deep, limits)).toEqual([['…']]);
    expect(limitedValue(JSON.parse('{"__proto__":{"x":1}}'), limits)).toEqual(JSON.parse('{"__proto__":{"x":1}}'));
  });
});
