import { describe, expect, it } from 'vitest';
import type { NewEvent } from '../../../shared/protocol/events.ts';
import { eventData } from '../../../shared/protocol/events.ts';
import { createAccount } from '../../../server/witness/account.ts';
import type { Program, Report } from '../../../server/witness/decode.ts';
import { createReconciler } from '../../../server/witness/reconcile.ts';
import { decodeSocketAddress } from '../../../server/witness/socket-address.ts';
import { inet } from './packets.ts';

const program = (path: string, argv: string[] = [path]): Program => ({
  path,
  argv,
  truncated: false,
  cwd: '/',
  uid: 10001,
});

function tell(reports: readonly Report[]): NewEvent[] {
  const account = createAccount();
  const events = reports.flatMap((report) => account.record(report));
  for (const event of events) eventData[event.type].parse(event.data);
  return events;
}

const dataOf = (events: readonly NewEvent[], type: NewEvent['type']) =>
  events.filter((event) => event.type === type).map((event) => event.data as Record<string, unknown>);

describe("the kernel's account of a sandbox", () => {
  it('names the parent that forked a process', () => {
    const events = tell([
      { kind: 'start', pid: 1, program: program('/bin/init') },
      { kind: 'clone', pid: 1, child: 2 },
      { kind: 'exec', pid: 2, program: program('/bin/sh') },
      { kind: 'clone', pid: 2, child: 3 },
      { kind: 'exec', pid: 3, program: program('/bin/ls') },
    ]);
    expect(dataOf(events, 'process.exec').map((data) => [data['pid'], data['parentPid'], data['path']])).toEqual([
      [1, undefined, '/bin/init'],
      [2, 1, '/bin/sh'],
      [3, 2, '/bin/ls'],
    ]);
  });

  it('does not give a reused process number the old parent', () => {
    const events = tell([
      { kind: 'clone', pid: 4, child: 5 },
      { kind: 'exit', pid: 5, status: 0 },
      { kind: 'exec', pid: 5, program: program('/bin/ls') },
    ]);
    expect(dataOf(events, 'process.exec')).toEqual([expect.not.objectContaining({ parentPid: 4 })]);
  });

  it.each([
    [0, { exitCode: 0 }],
    [7 << 8, { exitCode: 7 }],
    [9, { signal: 9 }],
    [11 | 0x80, { signal: 11 }],
  ])('reads the wait status %i', (status, expected) => {
    const events = tell([
      { kind: 'exec', pid: 2, program: program('/bin/x') },
      { kind: 'exit', pid: 2, status },
    ]);
    expect(dataOf(events, 'process.exit')).toEqual([{ pid: 2, ...expected }]);
  });

  it('leaves out the end of a fork that executed nothing', () => {
    expect(
      tell([
        { kind: 'clone', pid: 1, child: 2 },
        { kind: 'exit', pid: 2, status: 0 },
      ]),
    ).toEqual([]);
  });

  it('reports an exec that gVisor could not describe, and alerts once', () => {
    const events = tell([
      { kind: 'exec', pid: 2, program: program('/bin/x') },
      { kind: 'exec-returned', pid: 2, uid: 10001 },
      { kind: 'exec-returned', pid: 2, uid: 10001 },
      { kind: 'exec-returned', pid: 3, uid: 10001 },
    ]);
    expect(dataOf(events, 'process.exec').map((data) => [data['pid'], data['path']])).toEqual([
      [2, '/bin/x'],
      [2, '(unreadable)'],
      [3, '(unreadable)'],
    ]);
    expect(dataOf(events, 'alert.raised').map((data) => data['rule'])).toEqual(['witness.unreadable-exec']);
  });

  it('names the process that connects, also when it is a fork of the named one', () => {
    const events = tell([
      { kind: 'exec', pid: 2, program: program('/usr/bin/curl') },
      { kind: 'clone', pid: 2, child: 3 },
      { kind: 'connect', pid: 3, address: inet('127.0.0.1', 3128) },
    ]);
    expect(dataOf(events, 'process.connect')).toEqual([
      { pid: 3, process: 'curl', family: 'inet', address: '127.0.0.1', port: 3128 },
    ]);
  });
});

it('leaves out what glibc asks a name cache that does not exist', () => {
  const address = Buffer.concat([Buffer.from([1, 0]), Buffer.from('/var/run/nscd/socket\0')]);
  expect(tell([{ kind: 'connect', pid: 3, address }])).toEqual([]);
});

describe('a socket address', () => {
  const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
  it.each([
    ['IPv4', hex('0200 01bb c0000201 0000000000000000'), { family: 'inet', address: '192.0.2.1', port: 443 }],
    [
      'IPv6',
      hex('0a00 01bb 00000000 20010db8000000000000000000000001 00000000'),
      { family: 'inet6', address: '2001:db8::1', port: 443 },
    ],
    [
      'a path, with stack garbage behind it',
      hex('0100 2f72756e2f7800 deadbeef'),
      { family: 'unix', address: '/run/x' },
    ],
    ['an abstract name', hex('0100 00 6162 00'), { family: 'unix', address: '@ab' }],
    ['netlink', hex('1000 0000'), { family: 'family-16', address: '' }],
    ['nothing at all', hex(''), undefined],
    ['no family', hex('0000 0000'), undefined],
    ['an IPv4 address cut short', hex('0200 01bb c000'), undefined],
    ['an IPv6 address cut short', hex('0a00 01bb 00000000 20010db8'), undefined],
  ])('%s', (_, bytes, expected) => {
    expect(decodeSocketAddress(bytes)).toEqual(expected);
  });
});

describe('reconciling the kernel with the gateway', () => {
  const connect = (family: string, address: string): NewEvent => ({
    type: 'process.connect',
    actor: 'kernel',
    data: { pid: 9, process: 'curl', family, address, port: 443 },
  });
  it.each([
    ['inet', '127.0.0.1', false],
    ['inet', '127.8.9.10', false],
    ['inet', '0.0.0.0', false],
    ['inet6', '::1', false],
    ['inet6', '::', false],
    ['inet6', '::ffff:7f00:1', false],
    ['unix', '/run/caisson/egress.sock', false],
    ['inet', '12.7.0.1', true],
    ['inet', '10.0.0.1', true],
    ['inet', '169.254.169.254', true],
    ['inet6', '2001:db8::1', true],
    ['inet6', '::ffff:a00:1', true],
    ['inet6', '::ffff:7f:1', true],
  ])('%s %s past the gateway: %s', (family, address, alerted) => {
    const alerts = createReconciler()([connect(family, address)]);
    expect(alerts.map((event) => event.type === 'alert.raised' && event.data.rule)).toEqual(
      alerted ? ['witness.direct-connect'] : [],
    );
  });

  it('alerts once per address, and at most 20 times', () => {
    const reconcile = createReconciler();
    const sweep = Array.from({ length: 40 }, (_, i) => connect('inet', `10.0.0.${i}`));
    expect(reconcile([...sweep, ...sweep])).toHaveLength(20);
    expect(reconcile(sweep)).toEqual([]);
  });
});
