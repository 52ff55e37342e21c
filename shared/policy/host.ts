import { canonicalAddress } from './address.ts';

/** A host in its one normalized spelling, in which it is compared, resolved, dialed and recorded. */
export interface Host {
  readonly kind: 'name' | 'ipv4' | 'ipv6';
  /** Lower-case A-labels without a trailing dot, or a canonical address (IPv6 without brackets). */
  readonly text: string;
}

export type Parsed<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly problem: string };

const no = (problem: string) => ({ ok: false, problem }) as const;
const LABEL = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/;
const MAX_INPUT = 1000;

// The WHATWG URL class exists in Node, browsers and workers; the types of this folder know none of them.
const { URL: Url } = globalThis as unknown as { URL: new (text: string) => { readonly hostname: string } };

/**
 * Normalizes a host: case, one trailing dot, Unicode to A-labels (UTS 46). Refuses whatever two programs could read
 * differently: IPv4 in octal, hexadecimal, integer or short form, zones, underscores (never in a host name, RFC 952,
 * nor in a public certificate), percent signs, and labels or names beyond RFC 1035's 63 and 253 characters.
 */
export function parseHost(input: string): Parsed<{ host: Host }> {
  if (input === '') return no('the host is empty');
  if (input.length > MAX_INPUT) return no(`the host is longer than ${MAX_INPUT} characters`);
  if (input.startsWith('[')) return parseBracketed(input);
  const ascii = toAscii(input);
  if (ascii === undefined) return no(`${quote(input)} is not a valid international domain name`);
  const name = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii;
  if (name === '') return no('the host is empty');
  if (name.includes(':')) return no(`${quote(input)}: write an IPv6 address in brackets`);
  if (name.length > 253) return no('the host is longer than 253 characters (RFC 1035)');
  const labels = name.split('.');
  for (const label of labels) {
    if (label === '') return no(`${quote(input)} has an empty label`);
    if (label.length > 63) return no(`${quote(input)} has a label of more than 63 characters (RFC 1035)`);
    if (label.includes('_')) return no(`${quote(input)} has an underscore, which host names cannot have (RFC 952)`);
    if (!LABEL.test(label)) return no(`${quote(input)} is not a host name: use letters, digits and inner hyphens`);
  }
  // Every parser of URLs takes a host whose last label is a number for an IPv4 address, in some notation or other.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1)!)) {
    const address = canonicalAddress(name);
    if (address === undefined) return no(`${quote(input)} is not an IPv4 address in dotted decimal form`);
    return { ok: true, host: { kind: 'ipv4', text: address } };
  }
  if (name.includes('xn--') && whatwgHostname(name) !== name)
    return no(`${quote(input)} has a label that is not valid IDNA`);
  return { ok: true, host: { kind: 'name', text: name } };
}

function parseBracketed(input: string): Parsed<{ host: Host }> {
  const inner = input.endsWith(']') ? input.slice(1, -1) : '';
  if (inner.includes('%')) return no(`${quote(input)} has a zone, which only means something on one host (RFC 4007)`);
  const address = inner.includes(':') ? canonicalAddress(inner) : undefined;
  if (address === undefined) return no(`${quote(input)} is not an IPv6 address in brackets`);
  return { ok: true, host: { kind: 'ipv6', text: address } };
}

function toAscii(input: string): string | undefined {
  if (/^[\u0021-\u007e]+$/.test(input)) return input.toLowerCase();
  // Only letters, digits, dots and hyphens may stand beside the Unicode characters, or URL would see a port or a path.
  // What comes out goes through all the checks above: «１２７.１» becomes digits, for example.
  return /^[^\u0000-\u002c\u002f\u003a-\u0040\u005b-\u0060\u007b-\u009f]+$/.test(input)
    ? whatwgHostname(input)
    : undefined;
}

function whatwgHostname(text: string): string | undefined {
  try {
    return new Url(`http://${text}`).hostname;
  } catch {
    return undefined; // Not a host by the URL standard; the caller says so.
  }
}

/** Parses `host` or `host:port` as in RFC 9110 §7.2. The port is a plain decimal from 1 to 65535. */
export function parseAuthority(input: string): Parsed<{ host: Host; port: number | undefined }> {
  if (input.includes('@')) return no('credentials in an address are refused; remove everything up to the @');
  if (!input.startsWith('[') && input.split(':').length > 2) {
    return no(`${quote(input)} is not «host» or «host:port» (an IPv6 address stands in brackets)`);
  }
  const match = /^(\[[^\]]*\]|[^:[\]]*)(?::(.*))?$/s.exec(input);
  if (!match) return no(`${quote(input)} is not «host» or «host:port»`);
  const [, hostText = '', portText] = match;
  const parsed = parseHost(hostText);
  if (!parsed.ok) return parsed;
  if (portText === undefined) return { ok: true, host: parsed.host, port: undefined };
  const port = /^[1-9]\d{0,4}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) return no(`${quote(portText)} is not a port from 1 to 65535`);
  return { ok: true, host: parsed.host, port };
}

/** `host:port`, with brackets around IPv6. */
export function formatAuthority(host: string, port: number): string {
  return `${formatHost(host)}:${port}`;
}

export function formatHost(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** For sentences: what the agent sent, cut to a bounded length and with control characters made visible. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
