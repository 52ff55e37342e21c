import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { formatHost, parseAuthority } from '../../shared/policy/host.ts';
import { messageOf } from '../base/lifecycle.ts';
import { admit, refuse, type Admitted, type EgressRequest } from './admission.ts';
import type { EgressContext } from './context.ts';
import { dial } from './dial.ts';
import { isHttp1 } from './headers.ts';
import { createOpeningCheck, readOpening, TLS_ACCESS_DENIED, type OpeningDenial } from './opening.ts';
import { endSocket, refuseSocket } from './reply.ts';

/**
 * A CONNECT tunnel (RFC 9110 §9.3.6), in this order: decide on name and addresses; make that durable; dial; answer 200;
 * judge the opening bytes; only then send on anything of the client's.
 *
 * Dialing before the client's opening bytes are known (they come after the 200) lets an unreachable host be answered
 * with a clear 502 instead of a tunnel that breaks for no visible reason. The price is a TCP handshake, with an
 * address that has been permitted, for a tunnel that may then be cut; it carries nothing of the agent's making. A cut
 * tunnel has two decisions in the log under one connection: allowed by its name, denied by its opening bytes.
 */
export async function handleConnect(
  context: EgressContext,
  request: IncomingMessage,
  client: Socket,
  head: Buffer,
): Promise<void> {
  const target = request.url ?? '';
  const asked: EgressRequest = { protocol: 'connect', method: 'CONNECT', host: target, port: 0 };
  const refuseTarget = async (problem: string): Promise<void> => {
    const reason = `The CONNECT target is refused: ${problem}.`;
    refuseSocket(
      client,
      (await refuse(context, asked, { decision: 'deny', rule: 'invalid-host', reason }, 400)).refusal,
    );
  };
  if (!isHttp1(request)) return refuseTarget('a request line ends in HTTP/1.1');
  const authority = parseAuthority(target);
  if (!authority.ok) return refuseTarget(authority.problem);
  if (authority.port === undefined) return refuseTarget('it needs a port, as in example.com:443');
  const { host, port } = authority;
  const admission = await admit(context, { ...asked, host: formatHost(host.text), port });
  if (!admission.admitted) return refuseSocket(client, admission.refusal);

  let upstream: Socket;
  try {
    upstream = await dial(admission.addresses, port, {
      timeoutMs: context.limits.dialTimeoutMs,
      signal: context.signal,
    });
  } catch (error) {
    const message = `${formatHost(host.text)}:${port} is allowed but could not be reached: ${messageOf(error)}.`;
    await context.ledger.closed(admission.fact.connection, message);
    const { rule } = admission.fact;
    return refuseSocket(client, { status: 502, code: 'egress_failed', message, rule, host: host.text, port });
  }
  context.track(upstream);
  context.ledger.carry(admission.fact.connection, upstream);
  const error = await tunnel(context, admission, client, upstream, head);
  await context.ledger.closed(admission.fact.connection, error);
}

/** Resolves when both sides are closed, with what went wrong if anything did. */
async function tunnel(
  context: EgressContext,
  { fact }: Admitted,
  client: Socket,
  upstream: Socket,
  head: Buffer,
): Promise<string | undefined> {
  const { limits, policy } = context;
  let problem: string | undefined;
  let denied = false;
  const abort = (why: string): void => {
    problem ??= why;
    client.destroy();
    upstream.destroy();
  };
  const closed = Promise.all([whenClosed(client), whenClosed(upstream)]);
  client.on('error', (error) => abort(`the sandbox's side failed: ${error.message}`));
  upstream.on('error', (error) => abort(`the other side failed: ${error.message}`));
  // A side that ended in order was piped to the other, which still flushes; anything else takes the other with it.
  client.once('close', () => {
    if (!(client.readableEnded && client.writableFinished)) abort('the sandbox closed it');
  });
  upstream.once('close', () => {
    // A denied client still gets to hear of it.
    if (!denied && !(upstream.readableEnded && upstream.writableFinished)) abort('the other side closed it');
  });
  upstream.setTimeout(limits.tunnelIdleMs, () => abort('idle for too long'));
  // Half a connection is not kept as long as a whole one: a client that is gone looks the same as one that still reads.
  const half = Math.min(limits.tunnelIdleMs, limits.httpIdleMs);
  client.once('end', () => upstream.setTimeout(half));
  upstream.once('end', () => upstream.setTimeout(half));
  if (client.destroyed) abort('the sandbox closed it');
  client.setNoDelay(true);
  client.write('HTTP/1.1 200 Connection established\r\n\r\n');
  // What the other side says first (an SSH server's banner) may pass at once: it is not of the agent's making.
  upstream.pipe(client);

  if (policy.allowNonTls) {
    if (head.length > 0) upstream.write(head);
  } else {
    const opening = await readOpening(
      client,
      head,
      createOpeningCheck(fact.host, fact.port, limits.maxHelloBytes),
      limits.peekTimeoutMs,
    );
    if (opening.verdict === 'ended') abort('the sandbox closed it before its opening bytes were complete');
    else if (opening.verdict !== 'fine') {
      denied = true;
      upstream.destroy();
      problem = `cut: ${opening.verdict.rule}`;
      await cut(context, fact, client, opening.verdict);
    } else upstream.write(opening.bytes);
  }
  if (!upstream.destroyed) client.pipe(upstream);
  await closed;
  return problem;
}

async function cut(
  context: EgressContext,
  fact: Admitted['fact'],
  client: Socket,
  denial: OpeningDenial,
): Promise<void> {
  await context.ledger.denied({ ...fact, rule: denial.rule, reason: denial.reason });
  if (denial.rule.startsWith('tls-') && client.writable) endSocket(client, TLS_ACCESS_DENIED);
  else client.destroy();
}

function whenClosed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}
