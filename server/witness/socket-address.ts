/** An address as a process gave it to connect(2). */
export interface SocketAddress {
  /** `unix`, `inet`, `inet6`, or `family-<number>` for one that is not decoded. */
  readonly family: string;
  /** A path (abstract ones begin with `@`), or an IP address in its usual text form. */
  readonly address: string;
  readonly port?: number;
}

/** <bits/socket.h>: AF_UNSPEC, AF_UNIX, AF_INET, AF_INET6. The family is in host order, which is little-endian. */
const FAMILY = { unspecified: 0, unix: 1, inet: 2, inet6: 10 } as const;

/**
 * Decodes a struct sockaddr. Undefined for one that is too short to name anything, and for AF_UNSPEC, with which a
 * process lets go of an address instead of asking for one (connect(2)).
 */
export function decodeSocketAddress(bytes: Uint8Array): SocketAddress | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.byteLength < 2) return undefined;
  const family = view.getUint16(0, true);
  switch (family) {
    case FAMILY.unspecified:
      return undefined;
    case FAMILY.unix:
      return { family: 'unix', address: unixAddress(bytes.subarray(2)) };
    case FAMILY.inet:
      if (view.byteLength < 8) return undefined;
      return { family: 'inet', address: [...bytes.subarray(4, 8)].join('.'), port: view.getUint16(2) };
    case FAMILY.inet6:
      if (view.byteLength < 24) return undefined;
      return { family: 'inet6', address: ipv6Text(view, 8), port: view.getUint16(2) };
    default:
      return { family: `family-${family}`, address: '' };
  }
}

/** sun_path ends at its first NUL; what lies behind is whatever the process's memory held (unix(7)). */
function unixAddress(path: Uint8Array): string {
  const abstract = path[0] === 0;
  const name = abstract ? path.subarray(1) : path;
  const end = name.indexOf(0);
  const text = new TextDecoder().decode(end < 0 ? name : name.subarray(0, end));
  return abstract ? `@${text}` : text;
}

/** RFC 5952: lower case, no leading zeros, the longest run of zeros compressed. The URL parser does exactly that. */
function ipv6Text(view: DataView, offset: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => view.getUint16(offset + i * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}
