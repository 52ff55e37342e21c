import { expect, it } from 'vitest';
import { parseOperatorExceptions, pinnedAddresses } from '../../../server/egress/exceptions.ts';

it('nothing is excepted by default', () => {
  expect(parseOperatorExceptions('')).toEqual([]);
  expect(parseOperatorExceptions('  ')).toEqual([]);
});

it.each([
  ['mirror.internal=10.2.0.0/24', [['mirror.internal', undefined, '10.2.0.0/24']]],
  ['Mirror.Internal.:8080=127.0.0.1', [['mirror.internal', 8080, '127.0.0.1/32']]],
  [
    'a.internal=10.0.0.0/8, b.internal:443=fd12::/16',
    [
      ['a.internal', undefined, '10.0.0.0/8'],
      ['b.internal', 443, 'fd12::/16'],
    ],
  ],
  ['mirror=192.168.1.5/32', [['mirror', undefined, '192.168.1.5/32']]],
  ['[fd00::5]:8080=fd00::5', [['fd00::5', 8080, 'fd00::5/128']]],
] as const)('%s', (text, expected) => {
  expect(parseOperatorExceptions(text).map(({ host, port, cidr }) => [host, port, cidr.text])).toEqual(expected);
});

it.each([
  'mirror.internal',
  'mirror.internal=',
  '=10.0.0.0/8',
  'mirror.internal=10.0.0.1/8',
  'mirror.internal=10.0.0.0/33',
  'mirror.internal=host',
  '*.internal=10.0.0.0/8',
  'http://mirror=10.0.0.0/8',
  'mirror.internal:0=10.0.0.0/8',
  'mirror.internal:x=10.0.0.0/8',
  'a=10.0.0.0/8,,b=10.0.0.0/8',
  'a=10.0.0.0/8,',
  'my_mirror=10.0.0.0/8',
  'm.internal=169.254.169.254',
  'm.internal=169.254.0.0/16',
  'm.internal=224.0.0.0/4',
  'm.internal=fe80::/10',
  'm.internal=::ffff:10.0.0.1',
  'm.internal=0.0.0.0/0',
  'm.internal=fd00:ec2::254',
])('refuses %j loudly', (text) => {
  expect(() => parseOperatorExceptions(text)).toThrow(/CAISSON_EGRESS_PRIVATE_HOSTS.*is not an exception/);
});

it('a name is pinned only where every exception is a single address', () => {
  expect(pinnedAddresses(parseOperatorExceptions('a.internal=10.0.0.1,a.internal=10.0.0.2/32'))).toEqual([
    '10.0.0.1',
    '10.0.0.2',
  ]);
  expect(pinnedAddresses(parseOperatorExceptions('a.internal=10.0.0.1,a.internal=10.0.0.0/24'))).toBeUndefined();
  expect(pinnedAddresses([])).toBeUndefined();
});
