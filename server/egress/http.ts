import type { IncomingMessage, ServerResponse } from 'node:http';
import { formatAuthority, formatHost, parseAuthority, quote } from '../../shared/policy/host.ts';
import { messageOf } from '../base/lifecycle.ts';
import { admit, refuse, type EgressRequest } from './admission.ts';
import type { EgressContext } from './context.ts';
import { dial } from './dial.ts';
import { forward } from './forward.ts';
import { framingProblem } from './headers.ts';
import { handleModel } from './model.ts';
import { refuseResponse, type Refusal } from './reply.ts';

const HTTP_PORT = 80;
const MODEL_PREFIX = '/model/';

/** One request on the gateway's socket: absolute form goes out (RFC 9112 §3.2.2), origin form is for the gateways. */
export async function handleRequest(
  context: EgressContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? '';
  if (url.startsWith(MODEL_PREFIX)) return handleModel(context, request, response);
  if (url.startsWith('/') || url === '*') return refuseResponse(response, notAGateway(url));

  const parsed = parseTarget(request);
  if ('problem' in parsed) {
    const { rule, problem, asked, status } = parsed;
    const { refusal } = await refuse(
      context,
      asked,
      { decision: 'deny', rule, reason: `The request is refused: ${problem}.` },
      status,
    );
    return refuseResponse(response, refusal);
  }
  const { asked, target } = parsed;
  const admission = await admit(context, asked);
  if (!admission.admitted) return refuseResponse(response, admission.refusal);
  const { fact } = admission;
  const where = formatAuthority(fact.host, fact.port);
  const failed = (message: string): Refusal => ({
    status: 502,
    code: 'egress_failed',
    message,
    rule: fact.rule,
    host: fact.host,
    port: fact.port,
  });
  let upstream;
  try {
    upstream = await dial(admission.addresses, fact.port, {
      timeoutMs: context.limits.dialTimeoutMs,
      signal: context.signal,
    });
  } catch (error) {
    const message = `${where} is allowed but could not be reached: ${messageOf(error)}.`;
    await context.ledger.closed(fact.connection, message);
    return refuseResponse(response, failed(message));
  }
  context.track(upstream);
  context.ledger.carry(fact.connection, upstream);
  const hostHeader = fact.port === HTTP_PORT ? formatHost(fact.host) : where;
  const { error, answered } = await forward(
    request,
    response,
    upstream,
    { secure: false, hostname: fact.host, hostHeader, path: target },
    context.limits.httpIdleMs,
  );
  await context.ledger.closed(fact.connection, error);
  if (error === undefined) return;
  if (answered) response.destroy();
  else refuseResponse(response, failed(`${where} was reached, but did not answer: ${error}.`));
}

type Target =
  | { readonly asked: EgressRequest; readonly target: string }
  | {
      readonly asked: EgressRequest;
      readonly rule: string;
      readonly problem: string;
      readonly status: 400 | 403 | 411 | 501;
    };

/** The URI alone decides; whatever the Host header says is replaced by it (RFC 9112 §3.2.2). */
function parseTarget(request: IncomingMessage): Target {
  const url = request.url ?? '';
  const method = request.method ?? '';
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\\]*)([^#]*)$/i.exec(url);
  const unknown: EgressRequest = { protocol: 'http', method, host: match?.[2] ?? url.slice(0, 260), port: 0 };
  if (!match || !/^[\u0021-\u007e]+$/.test(url)) {
    return {
      asked: unknown,
      rule: 'malformed-request',
      problem: `${quote(url)} is not an absolute http:// URI`,
      status: 400,
    };
  }
  const [, scheme = '', authorityText = '', rest = ''] = match;
  if (scheme.toLowerCase() !== 'http') {
    const problem = `this proxy reaches ${scheme.toLowerCase()}:// only through CONNECT, so that TLS stays with the client`;
    return { asked: unknown, rule: 'http-scheme', problem, status: 403 };
  }
  const authority = parseAuthority(authorityText);
  if (!authority.ok) return { asked: unknown, rule: 'invalid-host', problem: authority.problem, status: 400 };
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  const path = target.split('?', 1)[0]!;
  const asked = { ...unknown, host: formatHost(authority.host.text), port: authority.port ?? HTTP_PORT, path };
  if (/(^|,)\s*websocket\s*(,|$)/i.test(request.headers.upgrade ?? '')) {
    // After the upgrade the bytes are in no protocol that is checked here. Other upgrades (h2c) are merely offers,
    // and not taking one is a full answer (RFC 9110 §7.8).
    const problem = 'a WebSocket over plain HTTP is not forwarded; use wss://, which goes through CONNECT';
    return { asked, rule: 'http-upgrade', problem, status: 501 };
  }
  const framing = framingProblem(request);
  if (framing) return { asked, rule: 'malformed-request', ...framing };
  return { asked, target };
}

function notAGateway(url: string): Refusal {
  const message =
    `Nothing is at ${quote(url.split('?', 1)[0]!)} here. This is Caisson's way out of the sandbox: use it as an HTTP proxy ` +
    '(http_proxy, https_proxy), or ask a model provider at /model/<provider>/….';
  return { status: 404, code: 'not_found', message, rule: 'no-such-gateway', host: '', port: 0 };
}
