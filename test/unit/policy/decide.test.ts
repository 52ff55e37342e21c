import { describe, expect, it } from 'vitest';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import { networkPolicy, type NetworkPolicy } from '../../../shared/protocol/rest.ts';
import { parseCidr } from '../../../shared/policy/address.ts';
import {
  compilePolicy,
  decideAddresses,
  decideModel,
  decideName,
  type OperatorException,
} from '../../../shared/policy/decide.ts';
import { GROUPS } from '../../../shared/policy/groups.ts';

const policy = (input: Partial<NetworkPolicy> = {}, operatorNames: string[] = []) =>
  compilePolicy(networkPolicy.parse({ groups: [], ...input }), operatorNames);

const exception = (host: string, cidr: string, port?: number): OperatorException => ({
  text: `${host}${port === undefined ? '' : `:${port}`}=${cidr}`,
  host,
  port,
  cidr: parseCidr(cidr)!,
});

describe('compilePolicy', () => {
  it('names the field of every refused pattern', () => {
    const compile = () => policy({ patterns: ['example.com', '*', 'ok.example.org', '*.github.io'] });
    expect(compile).toThrow(CaissonError);
    try {
      compile();
    } catch (error) {
      expect(error).toMatchObject({
        code: 'invalid_request',
        details: [{ path: 'network.patterns.1' }, { path: 'network.patterns.3' }],
      });
    }
  });

  it('takes single labels and private addresses from the operator only', () => {
    expect(() => policy({ patterns: ['mirror:8080'] })).toThrow(/single label/);
    expect(policy({ patterns: ['mirror:8080'] }, ['mirror']).rules).toHaveLength(1);
    expect(() => policy({ patterns: ['10.1.2.3'] })).toThrow(/private/);
    expect(policy({ patterns: ['10.1.2.3'] }, ['10.1.2.3']).rules).toHaveLength(1);
  });

  it.each(Object.keys(GROUPS) as (keyof typeof GROUPS)[])(
    'compiles the group %s, every host of it spelled as it is compared',
    (group) => {
      const compiled = policy({ groups: [group] });
      expect(compiled.rules.map(({ pattern }) => pattern.text)).toEqual(GROUPS[group]);
      expect(compiled.rules.length).toBeGreaterThan(2);
    },
  );
});

describe('decideName', () => {
  const listed = {
    patterns: ['example.com', '*.example.org:8443', '1.1.1.1', '[2606:4700::1111]:8443', 'plain.example.com:80'],
  };
  const groups = { groups: ['git', 'packages'] as NetworkPolicy['groups'] };
  const rows: [string, Partial<NetworkPolicy>, string, number, 'connect' | 'http', 'allow' | 'deny', string][] = [
    ['a listed host', listed, 'example.com', 443, 'connect', 'allow', 'pattern:example.com'],
    ['upper case and a trailing dot', listed, 'EXAMPLE.Com.', 443, 'connect', 'allow', 'pattern:example.com'],
    ['another port', listed, 'example.com', 22, 'connect', 'deny', 'not-listed'],
    ['plain HTTP of a host listed for 443', listed, 'example.com', 80, 'http', 'deny', 'not-listed'],
    [
      'plain HTTP of a host listed for 80',
      listed,
      'plain.example.com',
      80,
      'http',
      'allow',
      'pattern:plain.example.com:80',
    ],
    ['a subdomain of a listed host', listed, 'www.example.com', 443, 'connect', 'deny', 'not-listed'],
    ['a name below a wildcard', listed, 'a.b.example.org', 8443, 'connect', 'allow', 'pattern:*.example.org:8443'],
    ['the wildcard’s own host', listed, 'example.org', 8443, 'connect', 'deny', 'not-listed'],
    ['a listed IPv4 literal', listed, '1.1.1.1', 443, 'connect', 'allow', 'pattern:1.1.1.1'],
    [
      'a listed IPv6 literal in another spelling',
      listed,
      '[2606:4700:0:0::1111]',
      8443,
      'connect',
      'allow',
      'pattern:[2606:4700::1111]:8443',
    ],
    ['an unlisted public literal', listed, '8.8.8.8', 443, 'connect', 'deny', 'ip-literal'],
    ['a private literal', listed, '10.0.0.1', 443, 'connect', 'deny', 'address:private'],
    ['the metadata literal', listed, '169.254.169.254', 80, 'http', 'deny', 'address:metadata'],
    ['an IPv4-mapped literal', listed, '[::ffff:1.1.1.1]', 443, 'connect', 'deny', 'address:ipv4-mapped'],
    ['an octal literal', listed, '0177.0.0.1', 443, 'connect', 'deny', 'invalid-host'],
    ['an integer literal', listed, '2130706433', 443, 'connect', 'deny', 'invalid-host'],
    ['a hexadecimal literal', listed, '0x7f.1', 443, 'connect', 'deny', 'invalid-host'],
    ['a zone', listed, '[fe80::1%eth0]', 443, 'connect', 'deny', 'invalid-host'],
    ['credentials', listed, 'example.com@evil.org', 443, 'connect', 'deny', 'invalid-host'],
    ['a null byte', listed, 'example.com\u0000.evil.org', 443, 'connect', 'deny', 'invalid-host'],
    ['port 0', listed, 'example.com', 0, 'connect', 'deny', 'invalid-port'],
    ['git over HTTPS', groups, 'github.com', 443, 'connect', 'allow', 'group:git'],
    ['git over SSH', groups, 'github.com', 22, 'connect', 'allow', 'group:git'],
    ['SSH to a host that is for packages', groups, 'pypi.org', 22, 'connect', 'deny', 'not-listed'],
    ['packages over plain HTTP, signed', groups, 'deb.debian.org', 80, 'http', 'allow', 'group:packages'],
    ['a group that is not chosen', groups, 'api.anthropic.com', 443, 'connect', 'deny', 'not-listed'],
    ['anything with mode none', { mode: 'none', ...listed }, 'example.com', 443, 'connect', 'deny', 'mode:none'],
    ['any name with mode open', { mode: 'open' }, 'anything.example', 8443, 'connect', 'allow', 'mode:open'],
    ['a single label with mode open', { mode: 'open' }, 'intranet', 443, 'connect', 'deny', 'single-label'],
    ['localhost with mode open', { mode: 'open' }, 'localhost', 443, 'connect', 'deny', 'single-label'],
    ['a public literal with mode open', { mode: 'open' }, '8.8.8.8', 443, 'connect', 'deny', 'ip-literal'],
    ['a loopback literal with mode open', { mode: 'open' }, '127.0.0.1', 443, 'connect', 'deny', 'address:loopback'],
    [
      'plain HTTP to a mail server with mode open',
      { mode: 'open' },
      'mx.example.com',
      25,
      'http',
      'deny',
      'port-blocked',
    ],
    [
      'plain HTTP to a mail server that is listed',
      { mode: 'open', patterns: ['mx.example.com:25'] },
      'mx.example.com',
      25,
      'http',
      'allow',
      'pattern:mx.example.com:25',
    ],
  ];
  it.each(rows)('%s', (_, network, host, port, protocol, decision, rule) => {
    expect(decideName(policy(network), { host, port, protocol })).toMatchObject({ decision, rule });
  });

  it('says in full what is wrong and what to ask for', () => {
    const reason = (host: string, port: number) => decideName(policy(listed), { host, port, protocol: 'connect' });
    expect(reason('example.net', 443)).toMatchObject({
      reason: "example.net:443 is not on this environment's allow-list; ask for the pattern `example.net` to be added.",
      howToAsk: expect.stringContaining('`example.net`') as string,
    });
    expect(reason('example.com', 80).reason).toBe(
      "example.com is on this environment's allow-list for port 443 only, not for 80; ask for the pattern `example.com:80` to be added.",
    );
    expect(reason('10.0.0.1', 443).reason).toBe(
      '10.0.0.1 is a private address (RFC 1918); sandboxes never reach private addresses.',
    );
  });
});

describe('decideAddresses', () => {
  const name = { host: 'example.com', port: 443, rule: 'pattern:example.com', reason: 'Listed.' };
  const rows: [string, string[], OperatorException[], 'allow' | 'deny', string][] = [
    ['public addresses', ['93.184.215.14', '2606:2800::1'], [], 'allow', 'pattern:example.com'],
    ['no address', [], [], 'deny', 'unresolvable'],
    ['a private address', ['10.0.0.1'], [], 'deny', 'address:private'],
    ['public first, private second (rebinding)', ['93.184.215.14', '127.0.0.1'], [], 'deny', 'address:loopback'],
    ['private first, public second', ['192.168.0.1', '93.184.215.14'], [], 'deny', 'address:private'],
    ['IPv4-mapped, even of a public one', ['::ffff:93.184.215.14'], [], 'deny', 'address:ipv4-mapped'],
    ['NAT64 of metadata', ['64:ff9b::a9fe:a9fe'], [], 'deny', 'address:nat64'],
    ['something that is not an address', ['example.net'], [], 'deny', 'address:malformed'],
    ['a zone', ['fe80::1%eth0'], [], 'deny', 'address:malformed'],
    [
      'an address in the exception',
      ['10.2.0.9'],
      [exception('example.com', '10.2.0.0/16')],
      'allow',
      'exception:example.com=10.2.0.0/16',
    ],
    [
      'an address outside the exception',
      ['10.3.0.9'],
      [exception('example.com', '10.2.0.0/16')],
      'deny',
      'address:private',
    ],
    [
      'a public address outside the exception',
      ['1.1.1.1'],
      [exception('example.com', '10.2.0.0/16')],
      'deny',
      'address:outside-exception',
    ],
    [
      'one inside, one outside',
      ['10.2.0.9', '10.3.0.9'],
      [exception('example.com', '10.2.0.0/16')],
      'deny',
      'address:private',
    ],
    [
      'the exception of another host',
      ['10.2.0.9'],
      [exception('example.net', '10.2.0.0/16')],
      'deny',
      'address:private',
    ],
    [
      'the exception of a subdomain',
      ['10.2.0.9'],
      [exception('www.example.com', '10.2.0.0/16')],
      'deny',
      'address:private',
    ],
    [
      'the exception of this port',
      ['10.2.0.9'],
      [exception('example.com', '10.2.0.0/16', 443)],
      'allow',
      'exception:example.com:443=10.2.0.0/16',
    ],
    [
      'the exception of another port',
      ['10.2.0.9'],
      [exception('example.com', '10.2.0.0/16', 80)],
      'deny',
      'address:private',
    ],
    [
      'metadata within the widest exception',
      ['169.254.169.254'],
      [exception('example.com', '0.0.0.0/0')],
      'deny',
      'address:metadata',
    ],
    [
      'link-local within the widest exception',
      ['169.254.3.4'],
      [exception('example.com', '0.0.0.0/0')],
      'deny',
      'address:link-local',
    ],
    [
      'metadata of IPv6 within an exception',
      ['fd00:ec2::254'],
      [exception('example.com', 'fd00::/8')],
      'deny',
      'address:metadata',
    ],
    ['Azure’s platform address, which is public', ['168.63.129.16'], [], 'deny', 'address:metadata'],
  ];
  it.each(rows)('%s', (_, addresses, exceptions, decision, rule) => {
    const decided = decideAddresses(name, addresses, exceptions);
    expect(decided).toMatchObject({ decision, rule });
    if (decision === 'deny') expect(decided.addresses).toEqual([]);
  });

  it('gives back canonical addresses in order, each once', () => {
    const { addresses } = decideAddresses(name, ['2606:2800:0:0::1', '1.1.1.1', '2606:2800::1']);
    expect(addresses).toEqual(['2606:2800::1', '1.1.1.1']);
  });

  it('refuses an address of the server itself, unless the operator excepted it', () => {
    const isOwn = (address: string) => address === '93.184.215.14';
    expect(decideAddresses(name, ['93.184.215.14'], [], isOwn).rule).toBe('address:own-host');
    expect(decideAddresses(name, ['93.184.215.14'], [exception('example.com', '93.184.215.14')], isOwn).decision).toBe(
      'allow',
    );
  });

  it('keeps internal addresses from the agent, but not from the log', () => {
    const { reason, reasonForAgent } = decideAddresses(name, ['10.99.1.2']);
    expect(reason).toContain('10.99.1.2');
    expect(reasonForAgent).not.toContain('10.99.1.2');
    expect(reasonForAgent).toContain('private');
  });
});

describe('decideModel', () => {
  const providers = ['anthropic', 'openai'];
  it.each([
    ['with the group', { groups: ['models'] }, 'anthropic', 'allow', 'model:anthropic'],
    ['without the group', { groups: ['git'] }, 'anthropic', 'deny', 'model-not-allowed'],
    ['with mode open', { mode: 'open' }, 'openai', 'allow', 'model:openai'],
    ['with mode none', { mode: 'none', groups: ['models'] }, 'openai', 'deny', 'model-not-allowed'],
    ['an unknown provider', { groups: ['models'] }, 'nobody', 'deny', 'model-unknown'],
    ['a name from Object.prototype', { groups: ['models'] }, 'constructor', 'deny', 'model-unknown'],
  ] as [string, Partial<NetworkPolicy>, string, string, string][])('%s', (_, network, provider, decision, rule) => {
    expect(decideModel(policy(network), provider, providers)).toMatchObject({ decision, rule });
  });
});
