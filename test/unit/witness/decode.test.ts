import { assert as check, nat, oneof, property, tuple, uint8Array } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodePacket, MalformedPacket } from '../../../server/witness/decode.ts';
import { connectPacket, execPacket, inet, message, packet, tag } from './packets.ts';

describe('a report of gVisor', () => {
  it('of an exec carries program, arguments, folder and user, and never the environment', () => {
    const bytes = execPacket({ uid: 10001, cwd: '/workspace' }, '/bin/env', ['env', 'ls'], ['TOKEN=canary']);
    const decoded = decodePacket(bytes);
    expect(decoded).toEqual({
      containerId: 'box',
      dropped: 0,
      report: {
        kind: 'exec',
        pid: 7,
        program: { path: '/bin/env', argv: ['env', 'ls'], truncated: false, cwd: '/workspace', uid: 10001 },
      },
    });
    expect(bytes.includes('canary')).toBe(true);
    expect(JSON.stringify(decoded)).not.toContain('canary');
  });

  it('of a container start does not carry the environment either', () => {
    const writer = message({ uid: 5 }).uint32(tag(3, 2)).string('/workspace').uint32(tag(4, 2)).string('/bin/init');
    const decoded = decodePacket(packet(1, writer.uint32(tag(5, 2)).string('TOKEN=canary').finish()));
    expect(decoded.report).toMatchObject({ kind: 'start', program: { path: '/bin/init', cwd: '/workspace', uid: 5 } });
    expect(JSON.stringify(decoded)).not.toContain('canary');
  });

  it('cuts arguments to 32 of 512 characters and says so', () => {
    const { report } = decodePacket(
      execPacket(
        {},
        '/bin/x',
        Array.from({ length: 40 }, () => 'a'.repeat(600)),
      ),
    );
    expect(report).toMatchObject({ kind: 'exec', program: { truncated: true } });
    const argv = report?.kind === 'exec' ? report.program.argv : [];
    expect(argv).toHaveLength(32);
    expect(new Set(argv.map((argument) => argument.length))).toEqual(new Set([512]));
  });

  it('never cuts a character in two', () => {
    const { report } = decodePacket(execPacket({}, '/bin/x', [`${'a'.repeat(511)}😀`]));
    expect(report?.kind === 'exec' && report.program.argv[0]).toBe('a'.repeat(511));
  });

  it.each([
    ['clone of a process', 2, { 4: 9 }, { kind: 'clone', pid: 7, child: 9 }],
    ['clone of a thread', 2, { 4: 7 }, undefined],
    ['exit', 4, { 2: 1792 }, { kind: 'exit', pid: 7, status: 1792 }],
    ['kind of a newer gVisor', 77, { 2: 5 }, undefined],
  ])('%s', (_, type, fields, report) => {
    const writer = message();
    for (const [field, value] of Object.entries(fields)) writer.uint32(tag(Number(field), 0)).int32(value);
    expect(decodePacket(packet(type, writer.finish())).report).toEqual(report);
  });

  it.each([
    ['a system call that is only entered', undefined, undefined],
    ['an exec that returned', 0, { kind: 'exec-returned', pid: 7, uid: 3 }],
    ['an exec of a missing file', 2, undefined],
  ])('%s', (_, errno, report) => {
    const writer = message({ uid: 3 });
    if (errno !== undefined) {
      writer.uint32(tag(2, 2)).fork();
      if (errno !== 0) writer.uint32(tag(2, 0)).int64(errno);
      writer.ldelim();
    }
    expect(decodePacket(packet(6, writer.finish())).report).toEqual(report);
  });

  it('counts what was dropped, and reads past a longer header', () => {
    expect(decodePacket(packet(4, message().finish(), 3, 16))).toMatchObject({ dropped: 3, containerId: 'box' });
  });

  it('keeps the address of a connect as bytes', () => {
    const { report } = decodePacket(connectPacket({}, inet('192.0.2.1', 443)));
    expect(report?.kind === 'connect' && Buffer.from(report.address)).toEqual(inet('192.0.2.1', 443));
  });

  it.each([
    ['empty', Buffer.alloc(0)],
    ['too short', Buffer.alloc(7)],
    ['a header longer than the packet', packet(3, Buffer.alloc(0)).fill(0xff, 0, 2)],
    ['a header shorter than one', Buffer.concat([Buffer.from([4, 0, 3, 0, 0, 0, 0, 0]), message().finish()])],
    ['a message without a container', packet(4, message({ containerId: '' }).finish())],
    ['a container id that is none', packet(4, message({ containerId: '../x' }).finish())],
    ['a nested message beyond the end', packet(3, Buffer.from([0x0a, 0x7f, 0x01]))],
    ['a packet cut short', execPacket({}, '/bin/true', ['true']).subarray(0, 24)],
  ])('%s is malformed', (_, bytes) => {
    expect(() => decodePacket(bytes)).toThrow(MalformedPacket);
  });

  it('never fails in any other way, whatever the bytes', () => {
    const valid = execPacket({ uid: 1, cwd: '/' }, '/bin/sh', ['sh', '-c', 'true'], ['A=b']);
    const mutated = tuple(nat(valid.length - 1), uint8Array({ maxLength: 8 })).map(([at, bytes]) =>
      Buffer.concat([valid.subarray(0, at), bytes, valid.subarray(at + bytes.length)]),
    );
    const anything = uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    let decoded = 0;
    check(
      property(oneof(anything, mutated), (bytes) => {
        try {
          decodePacket(bytes);
          decoded += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedPacket);
        }
      }),
      { numRuns: 2000 },
    );
    expect(decoded).toBeGreaterThan(0);
  });
});
