import { isIP } from 'node:net';
import { classifyAddress, isExceptable, parseCidr } from '../../shared/policy/address.ts';
import type { OperatorException } from '../../shared/policy/decide.ts';
import { formatHost, parseAuthority } from '../../shared/policy/host.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';

/**
 * Parses `CAISSON_EGRESS_PRIVATE_HOSTS`: `name[:port]=cidr`, separated by commas. An exception relaxes the check of
 * addresses for that one host; environments must still list the host. Where the block is a single address, the name
 * is not looked up at all and that address is used, since such names are often in no DNS.
 * @throws {CaissonError} that quotes the malformed part
 */
export function parseOperatorExceptions(text: string): OperatorException[] {
  const parts = text.split(',').map((part) => part.trim());
  if (parts.length === 1 && parts[0] === '') return [];
  return parts.map(parseException);
}

function parseException(part: string): OperatorException {
  const separator = part.lastIndexOf('=');
  if (separator < 1) throw malformed(part, 'write name=cidr or name:port=cidr, as in «mirror.internal=10.2.0.0/24»');
  const authority = parseAuthority(part.slice(0, separator).trim());
  if (!authority.ok) throw malformed(part, authority.problem);
  const cidrText = part.slice(separator + 1).trim();
  const cidr = parseCidr(cidrText);
  if (!cidr)
    throw malformed(part, `«${cidrText}» is not an address block with zero host bits, as in 10.2.0.0/24 or fd12::/16`);
  const { kind, label } = classifyAddress(cidr.text.slice(0, cidr.text.indexOf('/')));
  if (!isExceptable(kind)) throw malformed(part, `${cidr.text} is ${label}, which no exception can open`);
  const host = authority.host.text;
  const { port } = authority;
  const name = `${formatHost(host)}${port === undefined ? '' : `:${port}`}`;
  return { text: `${name}=${cidr.single ? cidr.text.slice(0, cidr.text.indexOf('/')) : cidr.text}`, host, port, cidr };
}

function malformed(part: string, why: string): CaissonError {
  return new CaissonError('invalid_request', `CAISSON_EGRESS_PRIVATE_HOSTS: «${part}» is not an exception: ${why}.`);
}

/** The addresses that exceptions pin a host to, or undefined where the host has to be looked up. */
export function pinnedAddresses(exceptions: readonly OperatorException[]): string[] | undefined {
  if (exceptions.length === 0 || !exceptions.every(({ cidr }) => cidr.single)) return undefined;
  return exceptions
    .map(({ cidr }) => cidr.text.slice(0, cidr.text.indexOf('/')))
    .filter((address) => isIP(address) !== 0);
}
