import { cidrContains, classifyAddress, isExceptable, type Cidr } from './address.ts';
import type { CompiledPolicy } from './compile.ts';
import { DEFAULT_PORT, matchesHost, matchesPattern } from './domain-pattern.ts';
import { formatAuthority, formatHost, parseHost, quote, type Host } from './host.ts';

export { compilePolicy, type CompiledPolicy } from './compile.ts';

export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly rule: string;
  /** A full sentence, for the log. */
  readonly reason: string;
  /** What the agent or its user can do about a denial. */
  readonly howToAsk?: string;
}

export interface NameDecision extends Decision {
  /** Normalized; undefined where what was asked for is not a host at all. */
  readonly host: Host | undefined;
}

/** The operator's word that a named host may be at addresses which sandboxes otherwise never reach. */
export interface OperatorException {
  /** `name[:port]=cidr`, as events name it. */
  readonly text: string;
  readonly host: string;
  readonly port: number | undefined;
  readonly cidr: Cidr;
}

const NEVER = 'No environment can allow this. An operator can name an internal host in CAISSON_EGRESS_PRIVATE_HOSTS.';
const ask = (pattern: string) =>
  `Ask for the pattern \`${pattern}\` to be added to this environment's allow-list (network.patterns).`;

/**
 * Ports on which plain HTTP could be made to speak another protocol to a server that forgives unknown lines. From the
 * Fetch standard's «port blocking»: mail, shells, file transfer, chat, printers. An explicit pattern overrides it.
 */
const NOT_FOR_HTTP: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 5060, 5061, 6000,
  6379, 6566, 6665, 6666, 6667, 6668, 6669, 6697, 10080, 11211,
]);

/** Decides on the name, before anything is resolved: a denied name never reaches DNS, which is itself a way out. */
export function decideName(
  policy: CompiledPolicy,
  request: { readonly host: string; readonly port: number; readonly protocol: 'connect' | 'http' },
): NameDecision {
  const parsed = parseHost(request.host);
  if (!parsed.ok)
    return { decision: 'deny', rule: 'invalid-host', reason: `${capital(parsed.problem)}.`, host: undefined };
  const { host } = parsed;
  return { ...decideHost(policy, host, request.port, request.protocol), host };
}

function decideHost(policy: CompiledPolicy, host: Host, port: number, protocol: 'connect' | 'http'): Decision {
  const where = formatAuthority(host.text, port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    return { decision: 'deny', rule: 'invalid-port', reason: `${port} is not a port from 1 to 65535.` };
  }
  if (policy.mode === 'none') {
    const reason = `This environment has no network (mode «none»), so ${where} is out of reach.`;
    return {
      decision: 'deny',
      rule: 'mode:none',
      reason,
      howToAsk: 'Ask for an environment with the network mode «allowlist».',
    };
  }
  const listed = policy.rules.find(({ pattern }) => matchesPattern(pattern, host, port));
  if (listed)
    return { decision: 'allow', rule: listed.rule, reason: `${where} is on the allow-list (${listed.rule}).` };
  if (host.kind !== 'name') return decideLiteral(host, port);
  if (policy.mode === 'open') return decideOpen(host, port, protocol);
  const pattern = patternFor(host, port);
  const otherPorts = policy.rules.filter((rule) => matchesHost(rule.pattern, host)).map((rule) => rule.pattern.port);
  const reason =
    otherPorts.length > 0
      ? `${formatHost(host.text)} is on this environment's allow-list for port ${[...new Set(otherPorts)].join(', ')} only, not for ${port}; ask for the pattern \`${pattern}\` to be added.`
      : `${where} is not on this environment's allow-list; ask for the pattern \`${pattern}\` to be added.`;
  return { decision: 'deny', rule: 'not-listed', reason, howToAsk: ask(pattern) };
}

function decideLiteral(host: Host, port: number): Decision {
  const { kind, label } = classifyAddress(host.text);
  if (kind !== 'public') {
    const reason = `${host.text} is ${label}; sandboxes never reach ${plural(kind)} addresses.`;
    return { decision: 'deny', rule: `address:${kind}`, reason, howToAsk: NEVER };
  }
  const pattern = patternFor(host, port);
  const reason = `${formatAuthority(host.text, port)} is an IP address, and addresses are refused unless they are listed literally; use the host's name, or ask for the pattern \`${pattern}\` to be added.`;
  return { decision: 'deny', rule: 'ip-literal', reason, howToAsk: ask(pattern) };
}

function decideOpen(host: Host, port: number, protocol: 'connect' | 'http'): Decision {
  const where = formatAuthority(host.text, port);
  if (!host.text.includes('.')) {
    const reason = `«${host.text}» is a single label, which only an internal network could resolve; use the full domain name.`;
    return { decision: 'deny', rule: 'single-label', reason, howToAsk: NEVER };
  }
  if (protocol === 'http' && NOT_FOR_HTTP.has(port)) {
    const pattern = patternFor(host, port);
    const reason = `Port ${port} of ${host.text} belongs to another protocol than HTTP; ask for the pattern \`${pattern}\` if it is really meant.`;
    return { decision: 'deny', rule: 'port-blocked', reason, howToAsk: ask(pattern) };
  }
  return {
    decision: 'allow',
    rule: 'mode:open',
    reason: `${where} is allowed because this environment's network mode is «open».`,
  };
}

export interface AddressDecision extends Decision {
  /** Canonical, in the resolver's order, without repetitions; these and no others may be dialed. */
  readonly addresses: readonly string[];
  /** What the agent is told: without the addresses, or a sandbox could map the operator's internal DNS. */
  readonly reasonForAgent: string;
}

/**
 * Decides on everything that a permitted name resolved to. One bad address refuses them all: a name that mixes public
 * and private answers is either broken or rebinding.
 * @param isOwn says of an address whether it belongs to this host or the network it is on
 */
export function decideAddresses(
  name: { readonly host: string; readonly port: number; readonly rule: string; readonly reason: string },
  addresses: readonly string[],
  exceptions: readonly OperatorException[] = [],
  isOwn: (address: string) => boolean = () => false,
): AddressDecision {
  const where = formatHost(name.host);
  const verdicts = addresses.map(classifyAddress);
  const unique = [...new Set(verdicts.map(({ address }) => address))];
  const deny = (rule: string, reason: string, reasonForAgent: string): AddressDecision => ({
    decision: 'deny',
    rule,
    reason,
    reasonForAgent,
    addresses: [],
    ...(rule === 'unresolvable' ? {} : { howToAsk: NEVER }),
  });
  if (verdicts.length === 0) return deny('unresolvable', `${where} has no address.`, `${where} has no address.`);

  const granted = exceptionsFor(exceptions, name.host, name.port);
  const used = new Set<OperatorException>();
  for (const { address, kind, label } of verdicts) {
    const grant = isExceptable(kind) ? granted.find(({ cidr }) => cidrContains(cidr, address)) : undefined;
    if (grant) {
      used.add(grant);
      continue;
    }
    const literal = address === name.host;
    const found = literal ? `${address} is` : `${where} resolves to ${address}, which is`;
    if (kind !== 'public') {
      const never = `sandboxes never reach ${plural(kind)} addresses.`;
      const told = literal ? `${found} ${label}; ${never}` : `${where} resolves to ${label}; ${never}`;
      return deny(`address:${kind}`, `${found} ${label}; ${never}`, told);
    }
    if (granted.length > 0) {
      const reason = `${found} outside the operator's exception ${granted.map(({ text }) => text).join(', ')}.`;
      return deny(
        'address:outside-exception',
        reason,
        `${where} resolves to an address outside the operator's exception.`,
      );
    }
    if (isOwn(address)) {
      const own = 'an address of the server itself or of its own network; sandboxes never reach those.';
      return deny('address:own-host', `${found} ${own}`, literal ? `${found} ${own}` : `${where} resolves to ${own}`);
    }
  }
  const others = unique.length > 1 ? ` It resolved to ${unique.join(', ')}.` : '';
  if (used.size === 0)
    return {
      decision: 'allow',
      rule: name.rule,
      reason: name.reason + others,
      reasonForAgent: name.reason,
      addresses: unique,
    };
  const text = [...used].map((exception) => exception.text).join(', ');
  const reason = `${name.reason} The operator's exception ${text} lets it be at ${unique.join(', ')}.`;
  return { decision: 'allow', rule: `exception:${text}`, reason, reasonForAgent: reason, addresses: unique };
}

/** The exceptions that speak about this host and port. They relax the check of addresses; the name must be allowed too. */
export function exceptionsFor(
  exceptions: readonly OperatorException[],
  host: string,
  port: number,
): readonly OperatorException[] {
  return exceptions.filter(
    (exception) => exception.host === host && (exception.port === undefined || exception.port === port),
  );
}

/**
 * Decides on `/model/<provider>/…`. The upstream is the operator's, so no address is checked here; the environment
 * must have the group `models`, or the mode `open`.
 */
export function decideModel(policy: CompiledPolicy, provider: string, providers: readonly string[]): Decision {
  const rule = `model:${provider}`;
  if (!providers.includes(provider)) {
    const known = providers.length > 0 ? `known are ${providers.join(', ')}` : 'none is configured';
    return {
      decision: 'deny',
      rule: 'model-unknown',
      reason: `${quote(provider)} is not a model provider of this server; ${known}.`,
    };
  }
  if (policy.mode === 'open' || (policy.mode === 'allowlist' && policy.groups.includes('models'))) {
    return {
      decision: 'allow',
      rule,
      reason: `The model gateway forwards to the operator's upstream for ${provider}.`,
    };
  }
  const reason = `The model gateway is out of reach: this environment does not have the group \`models\`${policy.mode === 'none' ? ' (its network mode is «none»)' : ''}.`;
  return {
    decision: 'deny',
    rule: 'model-not-allowed',
    reason,
    howToAsk:
      'Ask for the group `models` to be added to this environment (network.groups), with the network mode «allowlist».',
  };
}

function patternFor(host: Host, port: number): string {
  return port === DEFAULT_PORT ? formatHost(host.text) : formatAuthority(host.text, port);
}

function plural(kind: string): string {
  return kind === 'malformed' ? 'such' : kind === 'not-global-unicast' ? 'non-global' : kind;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
