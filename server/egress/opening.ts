import type { Socket } from 'node:net';
import { parseHost, formatHost } from '../../shared/policy/host.ts';
import { ClientHelloReader } from './tls-hello.ts';

/** What the first bytes of a tunnel say. `fine` lets them through. */
export type OpeningVerdict = 'more' | 'fine' | OpeningDenial;
export interface OpeningDenial {
  readonly rule: 'tls-sni' | 'tls-no-sni' | 'tls-ech' | 'tls-malformed' | 'not-tls' | 'not-ssh' | 'opening-timeout';
  readonly reason: string;
}

const SSH_PORT = 22;
/** RFC 4253 §4.2: the client opens with this, unlike the server without any line before it. */
const SSH_BANNER = 'SSH-2.0-';
const NON_TLS = 'an environment can set network.allowNonTls to let such tunnels through';

/**
 * Judges the bytes that a client opens a tunnel with. On port 22 that is SSH; everywhere else TLS whose server name is
 * the host that was decided on. Otherwise a name on the allow-list would open the way to every other site that the
 * same address serves.
 *
 * A ClientHello with the encrypted_client_hello extension is refused: the name that we can read is then only the
 * front's public name, and the true one is hidden from us by design. Clients also send the extension with random
 * content (GREASE, RFC 9849 §6.2), which cannot be told from the real one, also by design; so browsers in a sandbox
 * need it switched off (Chromium: `--disable-features=EncryptedClientHello`). curl, git, npm, pip, Go and Java do not
 * send it by default.
 *
 * This does not prevent domain fronting inside TLS, where the Host header names another site of the same CDN; only
 * breaking TLS open could.
 */
export function createOpeningCheck(host: string, port: number, maxBytes: number): (chunk: Buffer) => OpeningVerdict {
  return port === SSH_PORT ? sshCheck(host) : tlsCheck(host, port, maxBytes);
}

function sshCheck(host: string): (chunk: Buffer) => OpeningVerdict {
  let seen = '';
  return (chunk) => {
    seen += chunk.subarray(0, SSH_BANNER.length - seen.length).toString('latin1');
    if (seen === SSH_BANNER) return 'fine';
    if (SSH_BANNER.startsWith(seen)) return 'more';
    return {
      rule: 'not-ssh',
      reason: `The tunnel to port 22 of ${host} does not begin with an SSH banner; ${NON_TLS}.`,
    };
  };
}

function tlsCheck(host: string, port: number, maxBytes: number): (chunk: Buffer) => OpeningVerdict {
  const reader = new ClientHelloReader(maxBytes);
  const where = `${formatHost(host)}:${port}`;
  return (chunk) => {
    const hello = reader.push(chunk);
    if (hello.state === 'incomplete') return 'more';
    if (hello.state === 'not-tls') {
      return { rule: 'not-tls', reason: `The tunnel to ${where} does not carry TLS: ${hello.problem}; ${NON_TLS}.` };
    }
    if (hello.state === 'malformed') {
      return { rule: 'tls-malformed', reason: `The TLS ClientHello to ${where} is malformed: ${hello.problem}.` };
    }
    return judgeHello(host, where, hello.serverName, hello.encrypted);
  };
}

function judgeHello(host: string, where: string, serverName: string | undefined, encrypted: boolean): OpeningVerdict {
  if (encrypted) {
    const reason = `The TLS ClientHello to ${where} uses Encrypted Client Hello, which hides the true server name; switch it off in the client (Chromium: --disable-features=EncryptedClientHello), or ${NON_TLS}.`;
    return { rule: 'tls-ech', reason };
  }
  const literal = host.includes(':') || /^[\d.]+$/.test(host);
  if (serverName === undefined) {
    // RFC 6066 §3: literal addresses are not permitted in server_name, so a listed address comes without one.
    return literal
      ? 'fine'
      : { rule: 'tls-no-sni', reason: `The TLS ClientHello to ${where} names no server; ${NON_TLS}.` };
  }
  const named = parseHost(serverName.includes(':') ? `[${serverName}]` : serverName);
  if (named.ok && named.host.text === host) return 'fine';
  return {
    rule: 'tls-sni',
    reason: `The TLS ClientHello names ${JSON.stringify(serverName.slice(0, 260))}, but the tunnel was opened to ${where}.`,
  };
}

/** A fatal TLS alert, `access_denied` (RFC 8446 §6): clients show it as a refusal and not as a broken network. */
export const TLS_ACCESS_DENIED = Buffer.from([0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x31]);

export interface Opening {
  /** Everything read so far; the first bytes to send on if the verdict is `fine`. */
  readonly bytes: Buffer;
  readonly verdict: 'fine' | 'ended' | OpeningDenial;
}

/**
 * Reads from the client until the check has an opinion, the client has ended, or the time is over. Leaves the socket
 * paused, with nothing of it lost.
 */
export async function readOpening(
  client: Socket,
  head: Buffer,
  check: (chunk: Buffer) => OpeningVerdict,
  timeoutMs: number,
): Promise<Opening> {
  const chunks: Buffer[] = [];
  return new Promise<Opening>((resolve) => {
    const finish = (verdict: Opening['verdict']): void => {
      clearTimeout(timer);
      client.off('data', onData).off('end', onEnd).off('close', onEnd);
      client.pause();
      resolve({ bytes: Buffer.concat(chunks), verdict });
    };
    const onData = (chunk: Buffer): void => {
      chunks.push(chunk);
      const verdict = check(chunk);
      if (verdict !== 'more') finish(verdict);
    };
    const onEnd = () => finish('ended');
    const late = `The tunnel's opening bytes were not complete within ${timeoutMs / 1000} s.`;
    const timer = setTimeout(() => finish({ rule: 'opening-timeout', reason: late }), timeoutMs);
    if (client.destroyed || client.readableEnded) return finish('ended');
    client.on('end', onEnd).on('close', onEnd);
    if (head.length > 0) {
      chunks.push(head);
      const verdict = check(head);
      if (verdict !== 'more') return finish(verdict);
    }
    client.on('data', onData);
    // `close` of a half-read socket is only seen while reading.
    client.resume();
  });
}
