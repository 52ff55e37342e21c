import type { IncomingMessage, ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import { classifyAddress } from '../../shared/policy/address.ts';
import { decideModel, type Decision } from '../../shared/policy/decide.ts';
import { messageOf, untilAborted } from '../base/lifecycle.ts';
import { refuse } from './admission.ts';
import type { EgressContext } from './context.ts';
import { dial } from './dial.ts';
import { forward } from './forward.ts';
import { framingProblem } from './headers.ts';
import { refuseResponse, type Refusal } from './reply.ts';

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/**
 * `/model/<provider>/…` → the operator's upstream for that provider, below its base path. The agent chooses the path
 * and the body, never the host. (Adding credentials, and counting tokens, is another gateway's work.)
 */
export async function handleModel(
  context: EgressContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = request.url ?? '';
  const [, provider = '', rest = '/'] = /^\/model\/([^/?]*)(.*)$/s.exec(url) ?? [];
  const base = Object.hasOwn(context.modelUpstreams, provider) ? context.modelUpstreams[provider] : undefined;
  const hostname = base ? base.hostname.replace(/^\[|\]$/g, '') : '';
  const port = base ? Number(base.port) || (DEFAULT_PORTS[base.protocol] ?? 0) : 0;
  const asked = {
    protocol: 'model',
    method: request.method ?? '',
    host: hostname,
    port,
    path: url.split('?', 1)[0]!,
  } as const;
  const deny = async (decision: Decision, status: Refusal['status']): Promise<void> => {
    const { refusal } = await refuse(context, asked, decision, status);
    refuseResponse(response, refusal);
  };

  const decision = decideModel(context.policy, provider, Object.keys(context.modelUpstreams));
  if (decision.decision === 'deny' || !base) return deny(decision, 403);
  const problem = pathProblem(rest);
  const framing = problem ? { status: 400 as const, problem } : framingProblem(request);
  if (framing)
    return deny(
      { decision: 'deny', rule: 'malformed-request', reason: `The request is refused: ${framing.problem}.` },
      framing.status,
    );

  const addresses = await addressesOf(context, hostname);
  const forbidden = addresses
    .map(classifyAddress)
    .find(({ kind }) => kind === 'metadata' || kind === 'link-local' || kind === 'malformed');
  if (forbidden || addresses.length === 0) {
    const why = forbidden ? `${forbidden.address}, which is ${forbidden.label}` : 'no address';
    const reason = `The upstream for ${provider} resolves to ${why}; the operator has to mend CAISSON_MODEL_URL_${provider.toUpperCase()}.`;
    return deny({ decision: 'deny', rule: forbidden ? `address:${forbidden.kind}` : 'unresolvable', reason }, 403);
  }
  const connection = context.ledger.nextConnection();
  await context.ledger.allowed({
    ...asked,
    connection,
    address: addresses[0]!,
    rule: decision.rule,
    reason: decision.reason,
  });
  const failed = (message: string): Refusal => ({
    status: 502,
    code: 'egress_failed',
    message,
    rule: decision.rule,
    host: hostname,
    port,
  });
  let upstream;
  try {
    upstream = await dial(addresses, port, { timeoutMs: context.limits.dialTimeoutMs, signal: context.signal });
  } catch (error) {
    const message = `The model provider ${provider} could not be reached: ${messageOf(error)}.`;
    await context.ledger.closed(connection, message);
    return refuseResponse(response, failed(message));
  }
  context.track(upstream);
  context.ledger.carry(connection, upstream);
  const path = joinPath(base.pathname, rest);
  const target = { secure: base.protocol === 'https:', hostname, hostHeader: base.host, path };
  const { error, answered } = await forward(request, response, upstream, target, context.limits.modelIdleMs);
  await context.ledger.closed(connection, error);
  if (error === undefined) return;
  if (answered) response.destroy();
  else refuseResponse(response, failed(`The model provider ${provider} was reached, but did not answer: ${error}.`));
}

async function addressesOf(context: EgressContext, hostname: string): Promise<readonly string[]> {
  if (isIP(hostname) !== 0) return [hostname];
  const signal = AbortSignal.any([AbortSignal.timeout(context.limits.resolveTimeoutMs), context.signal]);
  try {
    return await untilAborted(context.resolveLocally(hostname, signal), signal);
  } catch (error) {
    context.signal.throwIfAborted();
    context.logger.warn({ host: hostname, reason: messageOf(error) }, 'a model upstream could not be resolved');
    return [];
  }
}

/**
 * Why a path could leave the upstream's base path. Decoded as often as it changes, since some server behind the
 * upstream may decode once more than the one before it; a backslash counts as a slash, as it does to some.
 */
function pathProblem(rest: string): string | undefined {
  if (!/^[\u0021-\u007e]*$/.test(rest) || rest.includes('#')) return 'the path has characters that a URI cannot have';
  let path = rest.split('?', 1)[0]!;
  for (let round = 0; round < 4; round++) {
    if (path.split(/[/\\]/).some((segment) => /^\.{1,2}(;|$)/.test(segment))) return 'the path has «.» or «..» in it';
    let decoded: string;
    try {
      decoded = decodeURIComponent(path);
    } catch {
      return 'the path has a percent sign that encodes nothing';
    }
    if (decoded === path) return undefined;
    path = decoded;
  }
  return 'the path is percent-encoded too many times';
}

function joinPath(base: string, rest: string): string {
  const below = rest.startsWith('/') ? rest : `/${rest}`;
  return base.endsWith('/') ? base.slice(0, -1) + below : base + below;
}
