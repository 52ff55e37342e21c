import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesHost, matchesPattern, parsePattern, registrableDomain } from '../../../shared/policy/domain-pattern.ts';
import { formatHost, parseAuthority, parseHost } from '../../../shared/policy/host.ts';
import vectors from '../../vectors/policy-patterns.json' with { type: 'json' };

const operatorNames = new Set(['mirror', '10.1.2.3']);
const hostOf = (text: string) => {
  const parsed = parseHost(text);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.host;
};
const patternOf = (text: string) => {
  const parsed = parsePattern(text, operatorNames);
  if (!parsed.ok) throw new Error(parsed.problem);
  return parsed.pattern;
};

describe('parsePattern', () => {
  it.each(vectors.accepted as [string, string, number][])('%j is %s, port %i', (text, normalized, port) => {
    expect(patternOf(text)).toMatchObject({ text: normalized, port });
  });

  it.each(vectors.refused as [string, string][])('refuses %j: %s', (text, why) => {
    const parsed = parsePattern(text, operatorNames);
    expect(parsed.ok ? `accepted as ${parsed.pattern.text}` : parsed.problem).toMatch(new RegExp(why));
  });

  it('refuses names and labels that are too long for DNS', () => {
    expect(parsePattern(`${'a'.repeat(63)}.com`).ok).toBe(true);
    expect(parsePattern(`${'a'.repeat(64)}.com`).ok).toBe(false);
    expect(parsePattern(`${`${'a'.repeat(49)}.`.repeat(5)}com`).ok).toBe(true);
    expect(parsePattern(`${`${'a'.repeat(49)}.`.repeat(5)}comm`).ok).toBe(false);
    expect(parsePattern('a.'.repeat(100_000)).ok).toBe(false);
  });
});

describe('matching', () => {
  it.each(vectors.matches as [string, string, number, boolean][])(
    '%s on %s:%i is %s',
    (pattern, host, port, matches) => {
      expect(matchesPattern(patternOf(pattern), hostOf(host), port)).toBe(matches);
    },
  );
});

// `xn--` begins an encoded label (RFC 5890, section 2.3.2.1), which what is behind it at random hardly ever is.
const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?$/).filter((text) => !text.startsWith('xn--'));
const suffix = fc.constantFrom(
  'com',
  'co.uk',
  'github.io',
  's3.amazonaws.com',
  'internal',
  'de',
  'amazonaws.com',
  'workers.dev',
);
const name = fc
  .tuple(fc.array(label, { minLength: 1, maxLength: 4 }), suffix)
  .map(([labels, end]) => [...labels, end].join('.'));

describe('properties', () => {
  it('normalizing is idempotent, whatever is put in', () => {
    const strange = fc.oneof(
      name,
      fc.string({ unit: 'grapheme' }),
      fc.webAuthority(),
      fc.ipV4Extended(),
      fc.ipV6().map((v6) => `[${v6}]`),
    );
    fc.assert(
      fc.property(strange, (text) => {
        const first = parseHost(text);
        if (first.ok) expect(parseHost(formatHost(first.host.text))).toEqual(first);
      }),
      { numRuns: 2000 },
    );
  });

  it('a host is a name of letters, digits, dots and hyphens, or a canonical address, and nothing else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.webAuthority(), fc.ipV4Extended()), (text) => {
        const parsed = parseHost(text);
        if (parsed.ok)
          expect(parsed.host.text).toMatch(
            parsed.host.kind === 'ipv6' ? /^[0-9a-f:]+$/ : /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/,
          );
      }),
      { numRuns: 2000 },
    );
  });

  it('a pattern never matches below another registrable domain', () => {
    fc.assert(
      fc.property(name, name, fc.boolean(), (owner, other, wildcard) => {
        const pattern = parsePattern(`${wildcard ? '*.' : ''}${owner}`);
        const host = hostOf(other);
        if (pattern.ok && matchesHost(pattern.pattern, host))
          expect(registrableDomain(other)).toBe(registrableDomain(owner));
      }),
      { numRuns: 2000 },
    );
  });

  it('a wildcard matches what is below it, with the same owner, and never itself', () => {
    fc.assert(
      fc.property(name, label, (owner, below) => {
        const parsed = parsePattern(`*.${owner}`);
        if (!parsed.ok) return;
        expect(matchesHost(parsed.pattern, hostOf(owner))).toBe(false);
        expect(matchesHost(parsed.pattern, hostOf(`evil${owner}`))).toBe(false);
        const sub = `${below}.${owner}`;
        expect(matchesHost(parsed.pattern, hostOf(sub))).toBe(registrableDomain(sub) === registrableDomain(owner));
      }),
    );
  });

  it('spelling does not matter: case and trailing dot', () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(parseHost(`${text.toUpperCase()}.`)).toEqual(parseHost(text));
      }),
    );
  });
});

describe('parseAuthority', () => {
  it.each([
    ['example.com:443', 'example.com', 443],
    ['[::1]:80', '::1', 80],
    ['EXAMPLE.com.', 'example.com', undefined],
  ])('%s', (text, host, port) => {
    expect(parseAuthority(text)).toMatchObject({ ok: true, host: { text: host }, port });
  });

  it.each([
    'a@b.com:443',
    'allowed.com:443@evil.com:443',
    'a.com:443:80',
    '[::1]x:80',
    'a.com:+80',
    'a.com:0x50',
    'a.com:99999',
    'a.com\r\nX: y:443',
    ':443',
    '::1:443',
    'a.com:443 ',
  ])('refuses %j', (text) => {
    expect(parseAuthority(text).ok).toBe(false);
  });
});
