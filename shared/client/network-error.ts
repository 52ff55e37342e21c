import { CaissonError } from '../protocol/errors.ts';

/**
 * What a failed connection means and what to do, by the code that Node's networking gives
 * (https://nodejs.org/api/errors.html#common-system-errors, undici's UND_ERR_*, OpenSSL's certificate errors).
 */
const EXPLANATIONS: readonly { readonly codes: readonly string[]; readonly sentence: string }[] = [
  {
    codes: ['ECONNREFUSED'],
    sentence: 'Nothing listens there. Start the server with `caisson serve`, or set CAISSON_URL to where it runs.',
  },
  {
    codes: ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAI_NODATA'],
    sentence: 'The host name is not known. Check CAISSON_URL and this machine’s name resolution.',
  },
  {
    codes: ['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
    sentence: 'There is no route to that host. Check the network or the VPN.',
  },
  {
    codes: ['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'TIMEOUT'],
    sentence: 'It did not answer in time. The server may be overloaded, or a firewall may drop the connection.',
  },
  {
    codes: ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ECONNABORTED'],
    sentence: 'The connection was cut before the answer was complete. Try again; the server’s log may say why.',
  },
  {
    codes: [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'SELF_SIGNED_CERT_IN_CHAIN',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
    ],
    sentence: 'Its certificate is not signed by an authority known here. Name yours in NODE_EXTRA_CA_CERTS.',
  },
  {
    codes: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
    sentence: 'Its certificate is not valid at this time. Renew it, or check this machine’s clock.',
  },
  {
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID'],
    sentence: 'Its certificate is for another name. Use the name in the certificate.',
  },
  {
    codes: ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
    sentence: 'It does not speak TLS there. Use http:// if the server runs without TLS.',
  },
  {
    codes: ['HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION', 'HPE_CR_EXPECTED', 'UND_ERR_RESPONSE'],
    sentence: 'It does not speak HTTP there. Use https:// if the server runs with TLS, and check the port.',
  },
];

const UNKNOWN = 'Check the address, and that the server runs.';

/** The first machine-readable code along an error's `cause` chain (fetch wraps the real one; AggregateError holds it). */
export function networkErrorCode(error: unknown): string | undefined {
  for (let current = error, depth = 0; current instanceof Error && depth < 8; depth++) {
    if ('code' in current && typeof current.code === 'string') return current.code;
    current = current instanceof AggregateError ? (current.errors[0] ?? current.cause) : current.cause;
  }
  return undefined;
}

/** One sentence about what failed, at which URL, and what to do. The code is `unavailable`. */
export function networkError(url: string, error: unknown): CaissonError {
  const code = networkErrorCode(error);
  const found = code === undefined ? undefined : EXPLANATIONS.find(({ codes }) => codes.includes(code));
  const reason = code === undefined || code === 'TIMEOUT' ? '' : ` (${code})`;
  return new CaissonError('unavailable', `Cannot reach ${url}${reason}. ${found?.sentence ?? UNKNOWN}`, {
    cause: error,
  });
}
