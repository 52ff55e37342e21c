import { lookup, Resolver as DnsResolver } from 'node:dns/promises';
import { networkInterfaces } from 'node:os';
import { cidrContains, parseCidr, type Cidr } from '../../shared/policy/address.ts';

/** All addresses of a name, or none. Rejects when the question could not be answered. */
export type Resolve = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

/**
 * Asks DNS for both families, once. c-ares and not `dns.lookup`: getaddrinfo occupies one of libuv's four threads for
 * as long as the name's owner likes, so an agent with a slow name server of its own could stop the server's file
 * system calls; it also applies the search domains of resolv.conf, so that a public-looking name could find an
 * internal host. The price: /etc/hosts counts only for names that the operator excepted (`lookupLocally`).
 */
export const resolvePublicly: Resolve = async (host, signal) => {
  signal.throwIfAborted();
  const resolver = new DnsResolver({ timeout: 2_000, tries: 2 });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    signal.throwIfAborted();
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : noSuchRecord(answer.reason)));
  } finally {
    signal.removeEventListener('abort', cancel);
  }
};

/** The host's own way: /etc/hosts, then DNS. Only for names that the operator wrote down. */
export const lookupLocally: Resolve = async (host) => {
  try {
    return (await lookup(host, { all: true, verbatim: true })).map(({ address }) => address);
  } catch (error) {
    return noSuchRecord(error);
  }
};

/** One family without records, or without an answer, is no reason to give up on the other. */
function noSuchRecord(error: unknown): never[] {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  if (
    /^(ENOTFOUND|ENODATA|ESERVFAIL|ETIMEOUT|ECANCELLED|EREFUSED|ECONNREFUSED|EAI_AGAIN|EAI_NODATA|EBADNAME|EBADRESP|EFORMERR|ENOTIMP)$/.test(
      code,
    )
  )
    return [];
  throw error;
}

const OWN_TTL_MS = 10_000;
let own: { readonly at: number; readonly blocks: readonly Cidr[] } | undefined;

/**
 * Whether an address is this host's own, or on the IPv6 link that it is on. A packet to an own public address never
 * leaves the host, so no firewall in front of it would stop a sandbox from reaching the services that listen there;
 * and in IPv6 the neighbours in an office have public addresses too.
 */
export function isOwnAddress(address: string): boolean {
  if (!own || Date.now() - own.at > OWN_TTL_MS) own = { at: Date.now(), blocks: ownBlocks() };
  return own.blocks.some((block) => cidrContains(block, address));
}

function ownBlocks(): Cidr[] {
  return Object.values(networkInterfaces()).flatMap((entries = []) =>
    entries.flatMap(({ address, family, cidr }) => {
      const blocks = [parseCidr(address)];
      const bits = Number(cidr?.split('/')[1]);
      if (family === 'IPv6' && bits >= 48) blocks.push(linkBlock(address, bits));
      return blocks.filter((block) => block !== undefined);
    }),
  );
}

function linkBlock(address: string, bits: number): Cidr | undefined {
  const host = parseCidr(address);
  return host && { ...host, text: `${address}/${bits}`, bits, single: bits === 128 };
}
