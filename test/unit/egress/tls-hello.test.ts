import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientHelloReader, type HelloState } from '../../../server/egress/tls-hello.ts';
import { extension, handshake, realHello, records, serverName, sni } from './hello.ts';

function read(bytes: Buffer, cuts = bytes.length, max = 32 * 1024): HelloState {
  const reader = new ClientHelloReader(max);
  let state: HelloState = { state: 'incomplete' };
  for (let i = 0; i < bytes.length && state.state === 'incomplete'; i += cuts)
    state = reader.push(bytes.subarray(i, i + cuts));
  return state;
}

const name = serverName('example.com');
const grease = extension(0x1a1a, Buffer.alloc(1));
const hello = (serverName: string | undefined, encrypted = false) => ({ state: 'hello', serverName, encrypted });

describe('ClientHelloReader', () => {
  it('reads the name from what OpenSSL sends', async () => {
    expect(read(await realHello('example.com'))).toEqual(hello('example.com'));
    expect(read(await realHello(undefined))).toEqual(hello(undefined));
  });

  it('reads the same however TCP cuts the stream', async () => {
    const bytes = await realHello('example.com');
    for (const cuts of [1, 2, 3, 5, 6, 7, 64, 100])
      expect(read(bytes, cuts), `pieces of ${cuts}`).toEqual(hello('example.com'));
  });

  it('reads a hello that is cut into records, down to one byte each', () => {
    const message = handshake(sni(name));
    for (const size of [1, 2, 3, 50]) {
      for (const cuts of [1, 4, 1000])
        expect(read(records(message, size), cuts), `${size}/${cuts}`).toEqual(hello('example.com'));
    }
  });

  const rows: [string, Buffer, object][] = [
    ['no extensions at all', records(handshake(undefined)), hello(undefined)],
    [
      'GREASE around the name',
      records(handshake(Buffer.concat([grease, sni(name), extension(0x2a2a, Buffer.alloc(0))]))),
      hello('example.com'),
    ],
    [
      'encrypted ClientHello',
      records(handshake(Buffer.concat([sni(name), extension(0xfe0d, Buffer.alloc(200))]))),
      hello('example.com', true),
    ],
    ['the older encrypted SNI', records(handshake(extension(0xffce, Buffer.alloc(9)))), hello(undefined, true)],
    ['two names', records(handshake(sni(name, serverName('evil.org')))), { state: 'malformed' }],
    [
      'the extension twice',
      records(handshake(Buffer.concat([sni(name), sni(serverName('evil.org'))]))),
      { state: 'malformed' },
    ],
    ['another extension twice', records(handshake(Buffer.concat([grease, grease, sni(name)]))), { state: 'malformed' }],
    ['an empty name', records(handshake(sni(serverName('')))), { state: 'malformed' }],
    ['a name of another type', records(handshake(sni(serverName('example.com', 1)))), { state: 'malformed' }],
    ['a null byte in the name', records(handshake(sni(serverName('example.com\0.evil.org')))), { state: 'malformed' }],
    [
      'bytes after the name list',
      records(handshake(extension(0, Buffer.concat([Buffer.from([0, name.length]), name, Buffer.from([0])])))),
      { state: 'malformed' },
    ],
    ['bytes after the extensions', records(handshake(sni(name), Buffer.from([1]))), { state: 'malformed' }],
    [
      'a length that points outside',
      records(handshake(extension(0, Buffer.from([0xff, 0xff, 0])))),
      { state: 'malformed' },
    ],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0]), { state: 'malformed' }],
    ['a record that is too long', Buffer.from([22, 3, 1, 0x40, 0x01]), { state: 'malformed' }],
    ['a ServerHello', records(Buffer.from([2, 0, 0, 0])), { state: 'malformed' }],
    ['an alert first', Buffer.from([21, 3, 1, 0, 2, 2, 40]), { state: 'not-tls' }],
    ['an SSLv2 hello', Buffer.from([0x80, 0x2e, 1, 3, 1]), { state: 'not-tls' }],
    ['plain HTTP', Buffer.from('GET / HTTP/1.1\r\n'), { state: 'not-tls' }],
    ['an SSH banner', Buffer.from('SSH-2.0-OpenSSH_9.2\r\n'), { state: 'not-tls' }],
    ['TLS of another major version', Buffer.from([22, 2, 1]), { state: 'not-tls' }],
    ['a hello that says it is huge', records(Buffer.from([1, 0xff, 0xff, 0xff])), { state: 'malformed' }],
  ];
  it.each(rows)('%s', (_, bytes, expected) => {
    expect(read(bytes)).toMatchObject(expected);
    expect(read(bytes, 1)).toMatchObject(expected);
  });

  it('gives up on a hello that is larger than the bound, in bytes or in records', () => {
    const large = handshake(Buffer.concat([extension(21, Buffer.alloc(5000)), sni(name)]));
    expect(read(records(large), 100)).toEqual(hello('example.com'));
    expect(read(records(large), 100, 2000)).toMatchObject({ state: 'malformed' });
    expect(read(records(large, 1), 100, 6000)).toMatchObject({ state: 'malformed' });
  });

  it('never throws, whatever comes', () => {
    const states = ['incomplete', 'not-tls', 'malformed', 'hello'];
    const mutated = fc
      .tuple(
        fc.constant(records(handshake(Buffer.concat([grease, sni(name)])))),
        fc.array(fc.tuple(fc.nat(99), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      )
      .map(([bytes, changes]) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      });
    const anything = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from([22, 3, 1]), bytes]));
    fc.assert(
      fc.property(fc.oneof(mutated, anything), fc.integer({ min: 1, max: 50 }), (bytes, cuts) => {
        const whole = read(bytes);
        expect(states).toContain(whole.state);
        expect(read(bytes, cuts)).toEqual(whole);
      }),
      { numRuns: 1000 },
    );
  });
});
