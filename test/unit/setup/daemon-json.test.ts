import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { mergeRuntimes, setsOption } from '../../../server/setup/daemon-json.ts';

const ENTRY = { path: '/usr/bin/runsc', runtimeArgs: ['--network=none'] };
const merge = (current: string | undefined) => mergeRuntimes(current, { caisson: ENTRY });

describe('the engine’s configuration', () => {
  it.each([
    ['no file', undefined],
    ['an empty file', ''],
    ['a blank file', ' \n'],
    ['an empty object', '{}'],
  ])('is made from %s', (_, current) => {
    expect(JSON.parse(merge(current) ?? '')).toEqual({ runtimes: { caisson: ENTRY } });
  });

  it('keeps everything else, in its order', () => {
    const current = { 'log-driver': 'local', runtimes: { kata: { path: '/k' } }, 'data-root': '/srv' };
    const merged = JSON.parse(merge(JSON.stringify(current)) ?? '') as Record<string, unknown>;
    expect(merged).toEqual({ ...current, runtimes: { kata: { path: '/k' }, caisson: ENTRY } });
    expect(Object.keys(merged)).toEqual(['log-driver', 'runtimes', 'data-root']);
  });

  it('replaces an entry of ours that has changed', () => {
    const merged = merge('{"runtimes":{"caisson":{"path":"/old"}}}') ?? '';
    expect(JSON.parse(merged)).toEqual({ runtimes: { caisson: ENTRY } });
  });

  it('is left alone when the entry is there already', () => {
    expect(merge(merge(undefined))).toBeUndefined();
  });

  it('loses nothing of any configuration, and is stable', () => {
    const config = fc.dictionary(
      fc.string().filter((key) => key !== 'runtimes'),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(config, fc.dictionary(fc.string(), fc.jsonValue()), (rest, runtimes) => {
        // JSON has no negative zero, and `__proto__` is not an own key after a spread.
        const current = JSON.parse(JSON.stringify({ ...rest, runtimes })) as Record<string, unknown>;
        const text = merge(JSON.stringify(current)) ?? JSON.stringify(current);
        const { runtimes: merged, ...others } = JSON.parse(text) as { runtimes: Record<string, unknown> };
        const { runtimes: before, ...untouched } = current as { runtimes: Record<string, unknown> };
        expect(others).toEqual(untouched);
        expect(merged).toEqual({ ...before, caisson: ENTRY });
        expect(merge(text)).toBeUndefined();
      }),
    );
  });

  it.each([
    ['cut off', '{"runtimes": {', 'not valid JSON'],
    ['with a comment', '{} // mine', 'not valid JSON'],
    ['a list', '[]', 'JSON object'],
    ['null', 'null', 'JSON object'],
    ['runtimes that are a list', '{"runtimes": []}', '«runtimes»'],
  ])('is a person’s to mend when it is %s', (_, current, message) => {
    expect(() => merge(current)).toThrow(message);
    expect(() => merge(current)).toThrow('/etc/docker/daemon.json');
  });

  it.each([
    [undefined, false],
    ['', false],
    ['{"bridge":"none"}', true],
    ['{"iptables":false}', false],
  ])('%j sets the bridge itself: %s', (current, expected) => {
    expect(setsOption(current, 'bridge')).toBe(expected);
  });
});
