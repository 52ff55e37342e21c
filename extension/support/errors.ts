import { networkErrorCode } from '../../shared/client/network-error.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Localizer } from './localizer.ts';

/** What stands between the extension and its server, in the words of someone who sits in VS Code. */
export type ConnectionProblem =
  | 'refused'
  | 'unknown_host'
  | 'no_route'
  | 'timeout'
  | 'cut'
  | 'certificate'
  | 'certificate_time'
  | 'certificate_name'
  | 'not_tls'
  | 'not_http';

const CODES: Readonly<Record<ConnectionProblem, readonly string[]>> = {
  refused: ['ECONNREFUSED'],
  unknown_host: ['ENOTFOUND', 'EAI_AGAIN', 'EAI_NONAME', 'EAI_NODATA', 'ERR_NAME_NOT_RESOLVED'],
  no_route: ['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL'],
  timeout: ['ETIMEDOUT', 'TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'],
  cut: ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'ECONNABORTED'],
  certificate: [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  ],
  certificate_time: ['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'],
  certificate_name: ['ERR_TLS_CERT_ALTNAME_INVALID'],
  not_tls: ['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'],
  not_http: ['HPE_INVALID_CONSTANT', 'HPE_INVALID_VERSION', 'HPE_CR_EXPECTED', 'UND_ERR_RESPONSE'],
};

/** Which of the known problems kept a request from its server; undefined where it was none of them. */
export function connectionProblem(error: unknown): ConnectionProblem | undefined {
  const code = networkErrorCode(error instanceof CaissonError ? error.cause : error);
  if (code === undefined) return undefined;
  const found = Object.entries(CODES).find(([, codes]) => codes.includes(code));
  return found?.[0] as ConnectionProblem | undefined;
}

const ADVICE: Readonly<Record<ConnectionProblem, (l10n: Localizer) => string>> = {
  refused: (l10n) => l10n.t('Nothing listens there. Start the server with `caisson serve`, or check the port.'),
  unknown_host: (l10n) =>
    l10n.t('The host name is not known. Check its spelling and the network of the machine that VS Code runs on.'),
  no_route: (l10n) => l10n.t('There is no route to that host. Check the network or the VPN.'),
  timeout: (l10n) =>
    l10n.t('It did not answer in time. The server may be overloaded, or a firewall may drop the connection.'),
  cut: (l10n) => l10n.t('The connection was cut before the answer was complete. Try again.'),
  certificate: (l10n) =>
    l10n.t(
      'Its certificate is not signed by an authority that this machine knows. Add the authority to the certificates of the operating system that VS Code’s extensions run on, and restart VS Code. Certificate checks are never switched off.',
    ),
  certificate_time: (l10n) =>
    l10n.t('Its certificate is not valid at this time. Renew it, or check the clock of this machine.'),
  certificate_name: (l10n) => l10n.t('Its certificate is for another name. Use the name that is in the certificate.'),
  not_tls: (l10n) => l10n.t('It does not speak TLS there. Use http:// if the server runs without TLS.'),
  not_http: (l10n) => l10n.t('It does not speak HTTP there. Use https:// if the server runs with TLS.'),
};

/** One sentence on what to do about it. */
export function connectionAdvice(problem: ConnectionProblem, l10n: Localizer): string {
  return ADVICE[problem](l10n);
}

/**
 * An error in one or two sentences for the user. What the server said is shown as it is; where it was not reached, the
 * advice is about VS Code and not, as the client's own, about environment variables.
 */
export function explainError(error: unknown, l10n: Localizer): string {
  const problem = connectionProblem(error);
  if (problem !== undefined)
    return l10n.t('The Caisson server cannot be reached. {0}', connectionAdvice(problem, l10n));
  if (error instanceof CaissonError && error.code === 'unauthenticated')
    return l10n.t('The server does not accept the API key. It may be revoked or expired. Sign in again.');
  return error instanceof Error ? error.message : String(error);
}

/** True where somebody canceled on purpose, which nobody needs to be told. */
export function isCancellation(error: unknown): boolean {
  return error instanceof Error && (error.name === 'AbortError' || error.name === 'Canceled');
}
