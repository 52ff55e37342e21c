/**
 * The special-purpose address blocks, as data: the IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890,
 * RFC 8190), the multicast blocks, and the well-known addresses of cloud metadata services, which are not in any
 * registry. Order matters: the first match names the address, so narrow blocks stand before the wide ones around them.
 */
export type AddressKind =
  | 'public'
  | 'private'
  | 'loopback'
  | 'link-local'
  | 'shared'
  | 'unique-local'
  | 'metadata'
  | 'multicast'
  | 'broadcast'
  | 'unspecified'
  | 'this-network'
  | 'protocol-assignment'
  | 'documentation'
  | 'benchmarking'
  | 'reserved'
  | 'relay'
  | 'ipv4-mapped'
  | 'ipv4-compatible'
  | 'nat64'
  | '6to4'
  | 'teredo'
  | 'isatap'
  | 'orchid'
  | 'site-local'
  | 'srv6'
  | 'discard'
  | 'not-global-unicast'
  | 'malformed';

export interface SpecialRange {
  readonly cidr: string;
  readonly kind: AddressKind;
  /** Completes «ADDRESS is …». */
  readonly label: string;
}

const range = (cidr: string, kind: AddressKind, label: string): SpecialRange => ({ cidr, kind, label });

export const IPV4_RANGES: readonly SpecialRange[] = [
  range('169.254.169.254/32', 'metadata', 'the metadata service of AWS, GCP, Azure and others'),
  range('169.254.169.253/32', 'metadata', 'the DNS service of AWS instances'),
  range('169.254.169.123/32', 'metadata', 'the time service of AWS instances'),
  range('169.254.170.2/32', 'metadata', 'the credential service of AWS ECS'),
  range('169.254.170.23/32', 'metadata', 'the credential service of AWS EKS'),
  range('168.63.129.16/32', 'metadata', 'the platform service of Azure'),
  range('100.100.100.200/32', 'metadata', 'the metadata service of Alibaba Cloud'),
  range('192.0.0.192/32', 'metadata', 'the metadata service of Oracle Cloud'),
  range('0.0.0.0/32', 'unspecified', 'the unspecified address (RFC 1122)'),
  range('0.0.0.0/8', 'this-network', 'in «this network» (RFC 791)'),
  range('10.0.0.0/8', 'private', 'a private address (RFC 1918)'),
  range('100.64.0.0/10', 'shared', 'a carrier-grade NAT address (RFC 6598)'),
  range('127.0.0.0/8', 'loopback', 'a loopback address (RFC 1122)'),
  range('169.254.0.0/16', 'link-local', 'a link-local address (RFC 3927)'),
  range('172.16.0.0/12', 'private', 'a private address (RFC 1918)'),
  range('192.0.0.0/24', 'protocol-assignment', 'an IETF protocol assignment (RFC 6890)'),
  range('192.0.2.0/24', 'documentation', 'a documentation address (RFC 5737)'),
  range('192.31.196.0/24', 'relay', 'an AS112 sink (RFC 7535)'),
  range('192.52.193.0/24', 'relay', 'a multicast tunnelling relay (RFC 7450)'),
  range('192.88.99.0/24', 'relay', 'a 6to4 relay (RFC 7526)'),
  range('192.168.0.0/16', 'private', 'a private address (RFC 1918)'),
  range('192.175.48.0/24', 'relay', 'an AS112 sink (RFC 7534)'),
  range('198.18.0.0/15', 'benchmarking', 'a benchmarking address (RFC 2544)'),
  range('198.51.100.0/24', 'documentation', 'a documentation address (RFC 5737)'),
  range('203.0.113.0/24', 'documentation', 'a documentation address (RFC 5737)'),
  range('224.0.0.0/4', 'multicast', 'a multicast address (RFC 5771)'),
  range('255.255.255.255/32', 'broadcast', 'the broadcast address (RFC 919)'),
  range('240.0.0.0/4', 'reserved', 'a reserved address (RFC 1112)'),
];

export const IPV6_RANGES: readonly SpecialRange[] = [
  range('fd00:ec2::254/128', 'metadata', 'the metadata service of AWS'),
  range('fd00:ec2::253/128', 'metadata', 'the DNS service of AWS instances'),
  range('fd00:ec2::123/128', 'metadata', 'the time service of AWS instances'),
  range('fd00:ec2::23/128', 'metadata', 'the credential service of AWS EKS'),
  range('fd20:ce::254/128', 'metadata', 'the metadata service of GCP'),
  range('::/128', 'unspecified', 'the unspecified address (RFC 4291)'),
  range('::1/128', 'loopback', 'the loopback address (RFC 4291)'),
  range('::ffff:0:0/96', 'ipv4-mapped', 'an IPv4-mapped address (RFC 4291)'),
  range('::ffff:0:0:0/96', 'ipv4-mapped', 'an IPv4-translated address (RFC 2765)'),
  range('::/96', 'ipv4-compatible', 'an IPv4-compatible address (RFC 4291, deprecated)'),
  range('64:ff9b::/96', 'nat64', 'a NAT64 address (RFC 6052)'),
  range('64:ff9b:1::/48', 'nat64', 'a local NAT64 address (RFC 8215)'),
  range('100::/64', 'discard', 'a discard-only address (RFC 6666)'),
  range('100:0:0:1::/64', 'discard', 'a dummy prefix (RFC 9780)'),
  range('2001::/32', 'teredo', 'a Teredo address (RFC 4380)'),
  range('2001:2::/48', 'benchmarking', 'a benchmarking address (RFC 5180)'),
  range('2001:3::/32', 'relay', 'a multicast tunnelling relay (RFC 7450)'),
  range('2001:4:112::/48', 'relay', 'an AS112 sink (RFC 7535)'),
  range('2001:10::/28', 'orchid', 'an ORCHID (RFC 4843)'),
  range('2001:20::/28', 'orchid', 'an ORCHIDv2 (RFC 7343)'),
  range('2001:30::/28', 'orchid', 'a drone identity tag (RFC 9374)'),
  range('2001::/23', 'protocol-assignment', 'an IETF protocol assignment (RFC 2928)'),
  range('2001:db8::/32', 'documentation', 'a documentation address (RFC 3849)'),
  range('2002::/16', '6to4', 'a 6to4 address (RFC 3056)'),
  range('2620:4f:8000::/48', 'relay', 'an AS112 sink (RFC 7534)'),
  range('3fff::/20', 'documentation', 'a documentation address (RFC 9637)'),
  range('5f00::/16', 'srv6', 'a segment routing identifier (RFC 9602)'),
  range('fc00::/7', 'unique-local', 'a unique local address (RFC 4193)'),
  range('fe80::/10', 'link-local', 'a link-local address (RFC 4291)'),
  range('fec0::/10', 'site-local', 'a site-local address (RFC 3879, deprecated)'),
  range('ff00::/8', 'multicast', 'a multicast address (RFC 4291)'),
];
