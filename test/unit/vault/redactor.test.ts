import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRedactor } from '../../../server/vault/redactor.ts';

const TOKEN = 'ghp_s3cr3t/+Token=&x';
const redactor = createRedactor([{ name: 'GITHUB', value: TOKEN }, 'hunter22']);

/** Few letters, so that secrets overlap, repeat and begin inside each other. */
const crowded = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 6, maxLength: 9 });

describe('the redactor', () => {
  test.each([
    ['as it is', `x ${TOKEN} y`, 'x [redacted:GITHUB] y'],
    ['twice', TOKEN + TOKEN, '[redacted:GITHUB][redacted:GITHUB]'],
    ['without a name', 'password=hunter22;', 'password=[redacted];'],
    ['in JSON', JSON.stringify({ a: TOKEN }), '{"a":"[redacted:GITHUB]"}'],
    ['in a URL', `https://h/?t=${encodeURIComponent(TOKEN)}&b`, 'https://h/?t=[redacted:GITHUB]&b'],
    ['in base64', Buffer.from(TOKEN).toString('base64'), '[redacted:GITHUB]'],
    ['in hex', Buffer.from(TOKEN).toString('hex'), '[redacted:GITHUB]'],
    ['nothing', 'ordinary text', 'ordinary text'],
  ])('replaces a secret %s', (_name, text, expected) => {
    expect(redactor.text(text)).toBe(expected);
  });

  test.each(['', 'u', 'us', 'user:', 'user-x:'])(
    'finds a secret behind %j in base64, as in Basic authorization',
    (user) => {
      const text = redactor.text(`Basic ${Buffer.from(`${user}${TOKEN}:rest`).toString('base64')}`);
      expect(text).toContain('[redacted:GITHUB]');
      expect(Buffer.from(text.slice('Basic '.length), 'base64').toString('latin1')).not.toContain('s3cr3t');
    },
  );

  test('replaces in every string of a value, names and __proto__ included', () => {
    const input: unknown = JSON.parse(`{"__proto__": {"hunter22": ["hunter22", 1, null, true]}}`);
    expect(JSON.stringify(redactor.value(input))).toBe('{"__proto__":{"[redacted]":["[redacted]",1,null,true]}}');
  });

  test('a key of several lines is found as a terminal prints it', () => {
    const key = '-----BEGIN KEY-----\nabcdef\n-----END KEY-----';
    expect(createRedactor([key]).text(`a\r\n${key.replaceAll('\n', '\r\n')}b`)).toBe('a\r\n[redacted]b');
  });

  test('of two secrets at one place the longer is replaced', () => {
    const both = createRedactor([
      { name: 'A', value: 'secret' },
      { name: 'B', value: 'secret-and-more' },
    ]);
    expect(both.text('secret-and-more secret-and')).toBe('[redacted:B] [redacted:A]-and');
  });

  test('secrets that are too short are named, not looked for', () => {
    const short = createRedactor([{ name: 'PIN', value: '12345' }]);
    expect(short.ignored).toEqual(['PIN']);
    expect(short.text('12345')).toBe('12345');
  });

  test('nothing is held back that cannot become a secret', () => {
    const stream = redactor.stream();
    expect(stream.push('progress 10%\r')).toBe('progress 10%\r');
    expect(stream.push('a hunt')).toBe('a ');
    expect(stream.push('er!')).toBe('hunter!');
    expect(stream.push('hunter2')).toBe('');
    expect(stream.flush()).toBe('hunter2');
  });

  test('however the text is cut into pieces, the output is that of the whole', () => {
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 });
    fc.assert(
      fc.property(
        fc.array(crowded, { minLength: 1, maxLength: 4 }),
        texts,
        fc.array(fc.nat(60)),
        (secrets, text, cuts) => {
          const named = secrets.map((value, index) => ({ name: String(index), value }));
          const stream = createRedactor(named).stream();
          const places = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
          const pieces = places.slice(1).map((end, index) => stream.push(text.slice(places[index], end)));
          expect(pieces.join('') + stream.flush()).toBe(createRedactor(named).text(text));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('no secret survives in the output', () => {
    fc.assert(
      fc.property(fc.array(crowded, { minLength: 1, maxLength: 4 }), fc.array(crowded), (secrets, parts) => {
        const output = createRedactor(secrets).text(parts.join(' '));
        for (const secret of secrets) expect(output).not.toContain(secret);
      }),
    );
  });
});
