import ipaddr from 'ipaddr.js';
import { IPV4_RANGES, IPV6_RANGES, type AddressKind, type SpecialRange } from './address-ranges.ts';

type ParsedAddress = ipaddr.IPv4 | ipaddr.IPv6;

export interface AddressVerdict {
  /** RFC 5952 for IPv6, dotted decimal for IPv4; the input itself where it is not an address. */
  readonly address: string;
  readonly kind: AddressKind;
  /** Completes «ADDRESS is …». */
  readonly label: string;
}

const OCTET = '(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)';
const DOTTED_DECIMAL = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const DOTTED_TAIL = new RegExp(`^(.*:)(${OCTET}(?:\\.${OCTET}){3})$`);

/**
 * Strictly canonical IPv4 (no octal, hexadecimal or short forms, which libraries read in different ways) or IPv6
 * without a zone: a zone (RFC 4007) names an interface of this host, which is nobody else's business.
 */
export function parseAddress(text: string): ParsedAddress | undefined {
  if (DOTTED_DECIMAL.test(text)) return ipaddr.IPv4.parse(text);
  if (!text.includes(':') || text.length > 45 || !/^[0-9a-fA-F:.]+$/.test(text)) return undefined;
  // ipaddr.js 2.5 reads `::1.2.3.4` as `::ffff:1.2.3.4`; with the tail in hexadecimal it reads every form correctly.
  const tail = DOTTED_TAIL.exec(text);
  const hex = tail ? tail[1]! + hextets(ipaddr.IPv4.parse(tail[2]!)) : text;
  return !hex.includes('.') && ipaddr.IPv6.isValid(hex) ? ipaddr.IPv6.parse(hex) : undefined;
}

function hextets({ octets: [a = 0, b = 0, c = 0, d = 0] }: ipaddr.IPv4): string {
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** The canonical text of an address, or undefined for anything else. */
export function canonicalAddress(text: string): string | undefined {
  const address = parseAddress(text);
  return address && format(address);
}

function format(address: ParsedAddress): string {
  return address.kind() === 'ipv6' ? (address as ipaddr.IPv6).toRFC5952String() : address.toString();
}

/** A block of addresses. Its host bits are zero. */
export interface Cidr {
  readonly text: string;
  readonly network: ParsedAddress;
  readonly bits: number;
  /** True where the block is one address. */
  readonly single: boolean;
}

/** Parses `10.0.0.0/8`, `fd00::/8`, or one address. Undefined for anything else, set host bits (`10.0.0.1/8`) included. */
export function parseCidr(text: string): Cidr | undefined {
  const [addressText = '', bitsText, ...rest] = text.split('/');
  const network = parseAddress(addressText);
  if (!network || rest.length > 0) return undefined;
  const width = network.kind() === 'ipv4' ? 32 : 128;
  if (bitsText !== undefined && !/^(0|[1-9]\d{0,2})$/.test(bitsText)) return undefined;
  const bits = bitsText === undefined ? width : Number(bitsText);
  if (bits > width || !hostBitsAreZero(network, bits)) return undefined;
  return { text: `${format(network)}/${bits}`, network, bits, single: bits === width };
}

function hostBitsAreZero(network: ParsedAddress, bits: number): boolean {
  return network.toByteArray().every((byte, index) => {
    const kept = Math.min(8, Math.max(0, bits - index * 8));
    return (byte & (0xff >> kept)) === 0;
  });
}

export function cidrContains(cidr: Cidr, address: ParsedAddress | string): boolean {
  const parsed = typeof address === 'string' ? parseAddress(address) : address;
  // ipaddr.js throws on a comparison of the two families.
  return parsed !== undefined && parsed.kind() === cidr.network.kind() && parsed.match([cidr.network, cidr.bits]);
}

const compile = (ranges: readonly SpecialRange[]) =>
  ranges.map((range) => {
    const cidr = parseCidr(range.cidr);
    if (!cidr) throw new Error(`${range.cidr} in the table of special addresses is not a block`);
    return { ...range, block: cidr };
  });
const V4 = compile(IPV4_RANGES);
const V6 = compile(IPV6_RANGES);
/** RFC 4291 §2.4 and the IANA IPv6 Address Space registry: only this block is delegated as global unicast. */
const GLOBAL_UNICAST = parseCidr('2000::/3')!;

/**
 * What kind of address this is. Only `public` is reachable from a sandbox. IPv6 forms that carry an IPv4 address are
 * never public, whichever address they carry: which IPv4 host they end at is decided by a translator, not by us.
 */
export function classifyAddress(text: string): AddressVerdict {
  const address = parseAddress(text);
  if (!address) return { address: text, kind: 'malformed', label: 'not an IP address in canonical form' };
  const canonical = format(address);
  const special = (address.kind() === 'ipv4' ? V4 : V6).find(({ block }) => cidrContains(block, address));
  if (special) return { address: canonical, kind: special.kind, label: special.label };
  if (address.kind() === 'ipv6') {
    const v6 = address as ipaddr.IPv6;
    if (!cidrContains(GLOBAL_UNICAST, v6)) {
      return { address: canonical, kind: 'not-global-unicast', label: 'outside the global unicast space (RFC 4291)' };
    }
    // RFC 5214 §6.1: interface identifier ::0:5efe:a.b.c.d, with the universal bit either way.
    if (v6.parts[5] === 0x5efe && (v6.parts[4] === 0 || v6.parts[4] === 0x200)) {
      return { address: canonical, kind: 'isatap', label: 'an ISATAP address (RFC 5214)' };
    }
  }
  return { address: canonical, kind: 'public', label: 'a public address' };
}

/** Kinds that an operator's exception may open. Metadata services, link-local and everything else stay shut. */
const EXCEPTABLE: ReadonlySet<AddressKind> = new Set([
  'public',
  'private',
  'loopback',
  'shared',
  'unique-local',
  'benchmarking',
]);

export function isExceptable(kind: AddressKind): boolean {
  return EXCEPTABLE.has(kind);
}
