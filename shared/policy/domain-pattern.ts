import { getDomain, getPublicSuffix } from 'tldts';
import { classifyAddress } from './address.ts';
import { formatHost, parseAuthority, quote, type Host, type Parsed } from './host.ts';

export const DEFAULT_PORT = 443;

/** One entry of an allow-list. `*.host` means every name below `host`, at any depth, and not `host` itself. */
export interface DomainPattern {
  /** The normalized spelling, which is a pattern again. */
  readonly text: string;
  readonly host: Host;
  readonly wildcard: boolean;
  readonly port: number;
}

/** Private suffixes (github.io, s3.amazonaws.com) count: below them, different people own neighbouring names. */
const SUFFIXES = { allowPrivateDomains: true } as const;

const no = (problem: string) => ({ ok: false, problem }) as const;

/**
 * Parses `host`, `*.host`, either with `:port`. Without a port it means 443.
 * @param operatorNames hosts of the operator's exceptions; only these may be single labels or special addresses
 */
export function parsePattern(
  input: string,
  operatorNames: ReadonlySet<string> = new Set(),
): Parsed<{ pattern: DomainPattern }> {
  const trimmed = input.trim();
  if (trimmed.includes('/'))
    return no(`${quote(input)} looks like a URL; write only the host, and «:port» unless it is 443`);
  if (/^\*?\.?(:\d*)?$/.test(trimmed))
    return no(`${quote(input)} would match every host; use the network mode «open» if that is meant`);
  const wildcard = trimmed.startsWith('*.');
  const rest = wildcard ? trimmed.slice(2) : trimmed;
  if (rest.includes('*'))
    return no(`${quote(input)}: a «*» can only stand for the whole first part, as in «*.example.com»`);
  const authority = parseAuthority(rest);
  if (!authority.ok) return authority;
  const { host, port = DEFAULT_PORT } = authority;
  const problem =
    host.kind === 'name'
      ? nameProblem(host.text, wildcard, operatorNames)
      : addressProblem(host, wildcard, operatorNames);
  if (problem) return no(problem);
  const text = `${wildcard ? '*.' : ''}${formatHost(host.text)}${port === DEFAULT_PORT ? '' : `:${port}`}`;
  return { ok: true, pattern: { text, host, wildcard, port } };
}

function nameProblem(name: string, wildcard: boolean, operatorNames: ReadonlySet<string>): string | undefined {
  if (!wildcard && operatorNames.has(name)) return undefined;
  if (getPublicSuffix(name, SUFFIXES) === name) {
    return name.includes('.')
      ? `«${name}» is a public suffix: different people own the names below it; name the host itself, as in «NAME.${name}»`
      : `«${name}» is a single label; write the full domain name (an operator may name an internal host as an exception)`;
  }
  return undefined;
}

function addressProblem(host: Host, wildcard: boolean, operatorNames: ReadonlySet<string>): string | undefined {
  if (wildcard) return `«*.${host.text}»: an address has no subdomains`;
  if (operatorNames.has(host.text)) return undefined;
  const { kind, label } = classifyAddress(host.text);
  return kind === 'public'
    ? undefined
    : `${host.text} is ${label}, which sandboxes never reach (an operator may name it as an exception)`;
}

/** The domain that one party registered, private suffixes counted; undefined for a suffix itself. */
export function registrableDomain(name: string): string | undefined {
  return getDomain(name, SUFFIXES) ?? undefined;
}

export function matchesHost(pattern: DomainPattern, host: Host): boolean {
  if (pattern.host.kind !== host.kind) return false;
  if (!pattern.wildcard) return pattern.host.text === host.text;
  // A wildcard stays with one owner: «*.amazonaws.com» must not reach anybody's bucket below s3.amazonaws.com.
  return (
    host.text.endsWith(`.${pattern.host.text}`) && registrableDomain(host.text) === registrableDomain(pattern.host.text)
  );
}

export function matchesPattern(pattern: DomainPattern, host: Host, port: number): boolean {
  return pattern.port === port && matchesHost(pattern, host);
}
