import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalAddress,
  cidrContains,
  classifyAddress,
  isExceptable,
  parseAddress,
  parseCidr,
} from '../../../shared/policy/address.ts';
import { IPV4_RANGES, IPV6_RANGES } from '../../../shared/policy/address-ranges.ts';
import vectors from '../../vectors/policy-addresses.json' with { type: 'json' };

const octet = fc.integer({ min: 0, max: 255 });
const ipv4 = fc.tuple(octet, octet, octet, octet);
const hextet = fc.integer({ min: 0, max: 0xffff }).map((n) => n.toString(16));
const hex = ([a, b, c, d]: [number, number, number, number]) =>
  `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;

describe('classifyAddress', () => {
  it.each(vectors.rows as [string, string][])('%j is %s', (address, kind) => {
    expect(classifyAddress(address).kind).toBe(kind);
  });

  it('names every block of the tables at both of its ends', () => {
    for (const { cidr } of [...IPV4_RANGES, ...IPV6_RANGES]) {
      const block = parseCidr(cidr);
      expect(block, cidr).toBeDefined();
      expect(classifyAddress(cidr.split('/')[0]!).kind, cidr).not.toBe('public');
    }
  });

  it('never takes a form of IPv6 that carries an IPv4 address for public', () => {
    fc.assert(
      fc.property(ipv4, hextet, (v4, any) => {
        const dotted = v4.join('.');
        const inverted = hex(v4.map((n) => 255 - n) as typeof v4);
        const forms = [
          `::ffff:${dotted}`,
          `::ffff:${hex(v4)}`,
          `::${dotted}`,
          `::ffff:0:${hex(v4)}`,
          `64:ff9b::${dotted}`,
          `64:ff9b:1:${any}::${hex(v4)}`,
          `2002:${hex(v4)}::${any}`,
          `2001:0:${hex(v4)}:0:${any}:${inverted}`,
          `2600:${any}::5efe:${hex(v4)}`,
          `2600:${any}:0:0:200:5efe:${dotted}`,
          `fe80::5efe:${dotted}`,
        ];
        for (const form of forms) expect(classifyAddress(form).kind, form).not.toBe('public');
      }),
    );
  });

  it('calls IPv6 public only inside 2000::/3', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (parts) => {
        const { kind } = classifyAddress(parts.map((part) => part.toString(16)).join(':'));
        if (kind === 'public') expect(parts[0]! >> 13).toBe(1);
      }),
    );
  });

  it('judges one address alike in every spelling', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }), (parts) => {
        const plain = parts.map((part) => part.toString(16)).join(':');
        const padded = parts.map((part) => part.toString(16).padStart(4, '0').toUpperCase()).join(':');
        expect(classifyAddress(padded)).toEqual(classifyAddress(plain));
        expect(canonicalAddress(canonicalAddress(plain)!)).toBe(canonicalAddress(plain));
      }),
    );
  });

  it('keeps the sixteen bytes of an address with a dotted tail', () => {
    fc.assert(
      fc.property(ipv4, (v4) => {
        expect(parseAddress(`::${v4.join('.')}`)?.toByteArray()).toEqual([...Array<number>(12).fill(0), ...v4]);
      }),
    );
  });
});

describe('parseCidr', () => {
  it.each([
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['127.0.0.1/32', '127.0.0.2', false],
    ['fd00::/8', 'fd12::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['0.0.0.0/0', '1.2.3.4', true],
    ['0.0.0.0/0', '::1', false],
    ['10.0.0.0/8', '::ffff:10.0.0.1', false],
    ['::/0', '10.0.0.1', false],
    ['192.168.4.0/22', '192.168.7.255', true],
    ['192.168.4.0/22', '192.168.8.0', false],
    ['10.0.0.0/8', 'nonsense', false],
  ])('%s contains %s: %s', (cidr, address, inside) => {
    expect(cidrContains(parseCidr(cidr)!, address)).toBe(inside);
  });

  it.each([
    '10.0.0.1/8',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    'fd00::1/8',
    'fd00::/129',
    '010.0.0.0/8',
    'a/8',
    '',
    '/8',
    '10.0.0.0/8 ',
  ])('refuses %j', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });
});

it('no exception can open metadata, link-local, multicast or a carrier of IPv4', () => {
  const shut = [
    'metadata',
    'link-local',
    'multicast',
    'broadcast',
    'unspecified',
    'ipv4-mapped',
    'nat64',
    '6to4',
    'teredo',
    'malformed',
  ] as const;
  expect(shut.filter(isExceptable)).toEqual([]);
  expect((['private', 'loopback', 'unique-local'] as const).every(isExceptable)).toBe(true);
});
