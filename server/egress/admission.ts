import {
  decideAddresses,
  decideName,
  exceptionsFor,
  type AddressDecision,
  type NameDecision,
} from '../../shared/policy/decide.ts';
import type { EventData } from '../../shared/protocol/events.ts';
import { messageOf, untilAborted } from '../base/lifecycle.ts';
import type { EgressContext } from './context.ts';
import { pinnedAddresses } from './exceptions.ts';
import type { Refusal } from './reply.ts';
import { isOwnAddress } from './resolve.ts';

export interface EgressRequest {
  readonly protocol: 'connect' | 'http';
  readonly method: string;
  /** As the agent wrote it. */
  readonly host: string;
  readonly port: number;
  /** Without its query. */
  readonly path?: string;
}

/** A connection that was decided on and recorded; only `addresses` may be dialed. */
export interface Admitted {
  readonly admitted: true;
  readonly fact: EventData<'egress.allowed'>;
  readonly addresses: readonly string[];
}
export interface Refused {
  readonly admitted: false;
  readonly refusal: Refusal;
}

const MAX_PATH = 1_000;

/**
 * The whole decision on one attempt: name, one resolution, every address, and a durable event. When it resolves, the
 * decision is in the log and no byte of the agent's has left.
 * @throws {EgressShut} when the log did not take the decision
 */
export async function admit(context: EgressContext, request: EgressRequest): Promise<Admitted | Refused> {
  const name = decideName(context.policy, request);
  if (name.decision === 'deny' || !name.host) return refuse(context, request, name);
  const host = name.host.text;
  const asked = { ...request, host };
  let addresses: readonly string[];
  try {
    addresses = name.host.kind === 'name' ? await resolveOnce(context, host, request.port) : [host];
  } catch (error) {
    context.signal.throwIfAborted();
    const reason = `${host} could not be resolved: ${messageOf(error)}`;
    return refuse(context, asked, { decision: 'deny', rule: 'unresolvable', reason });
  }
  const checked = decideAddresses({ ...name, host, port: request.port }, addresses, context.exceptions, isOwnAddress);
  if (checked.decision === 'deny') return refuse(context, asked, checked);
  const fact = { ...factOf(context, asked, checked), address: checked.addresses[0]! };
  await context.ledger.allowed(fact);
  return { admitted: true, fact, addresses: checked.addresses };
}

/** Resolves once; what comes back is checked and dialed, and the name is not asked for again (DNS rebinding). */
async function resolveOnce(context: EgressContext, host: string, port: number): Promise<readonly string[]> {
  const exceptions = exceptionsFor(context.exceptions, host, port);
  const pinned = pinnedAddresses(exceptions);
  if (pinned) return pinned;
  const deadline = AbortSignal.timeout(context.limits.resolveTimeoutMs);
  const signal = AbortSignal.any([deadline, context.signal]);
  const resolve = exceptions.length > 0 ? context.resolveLocally : context.resolve;
  return untilAborted(resolve(host, signal), signal);
}

type Denial = Pick<NameDecision, 'decision' | 'rule' | 'reason' | 'howToAsk'> &
  Partial<Pick<AddressDecision, 'reasonForAgent'>>;

/** Records a denial and makes the answer to it. @throws {EgressShut} when it could not be recorded */
export async function refuse(
  context: EgressContext,
  request: EgressRequest | (Omit<EgressRequest, 'protocol'> & { readonly protocol: 'model' }),
  denial: Denial,
  status: Refusal['status'] = 403,
): Promise<Refused> {
  const fact = factOf(context, request, denial);
  await context.ledger.denied(fact);
  const unresolvable = denial.rule === 'unresolvable';
  return {
    admitted: false,
    refusal: {
      status: unresolvable ? 502 : status,
      code: unresolvable ? 'egress_failed' : status === 403 ? 'egress_denied' : 'bad_request',
      message: denial.reasonForAgent ?? denial.reason,
      rule: denial.rule,
      host: fact.host,
      port: fact.port,
      ...(denial.howToAsk === undefined ? {} : { howToAsk: denial.howToAsk }),
    },
  };
}

function factOf(
  context: EgressContext,
  request: Parameters<typeof refuse>[1],
  decision: Denial,
): EventData<'egress.denied'> {
  return {
    connection: context.ledger.nextConnection(),
    protocol: request.protocol,
    method: request.method,
    host: printable(request.host, 260),
    port: Number.isInteger(request.port) && request.port >= 0 && request.port <= 65_535 ? request.port : 0,
    ...(request.path === undefined ? {} : { path: printable(request.path, MAX_PATH) }),
    rule: decision.rule,
    reason: decision.reason,
  };
}

/** What an agent wrote, made fit for a log that people read: bounded, and without characters that drive a terminal. */
function printable(text: string, max: number): string {
  const visible = text.replaceAll(/[^\u0020-\u007e]/g, '\ufffd');
  return visible.length > max ? `${visible.slice(0, max - 1)}…` : visible;
}
