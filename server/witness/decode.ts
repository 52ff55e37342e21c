import { Reader } from 'protobufjs/minimal.js';

/**
 * gVisor's remote sink, version 1 of its protocol: one SOCK_SEQPACKET packet per report, which is a header and one
 * protobuf message (pkg/sentry/seccheck/sinks/remote/wire/wire.go, pkg/sentry/seccheck/points/*.proto).
 *
 * The messages are read field by field with protobufjs's Reader instead of its reflection, for two reasons: reflection
 * generates code at run time, and here a field that has no line in the tables below is skipped as bytes. The environment
 * of a process (ExecveInfo.env = 4, Start.env = 5) is therefore never even turned into a string.
 */
export type Report =
  | { readonly kind: 'start'; readonly pid: number; readonly program: Program }
  | { readonly kind: 'clone'; readonly pid: number; readonly child: number }
  | { readonly kind: 'exec'; readonly pid: number; readonly program: Program }
  /** A successful execve returned. Without an `exec` before it, that one could not be reported (see trace-config.ts). */
  | { readonly kind: 'exec-returned'; readonly pid: number; readonly uid: number }
  /** `status` is encoded as for wait(2). */
  | { readonly kind: 'exit'; readonly pid: number; readonly status: number }
  /** `address` is a struct sockaddr, possibly with garbage behind it. */
  | { readonly kind: 'connect'; readonly pid: number; readonly address: Uint8Array };

export interface Program {
  readonly path: string;
  readonly argv: readonly string[];
  /** True when `argv` was cut to 32 arguments of 512 characters. */
  readonly truncated: boolean;
  readonly cwd: string;
  readonly uid: number;
}

export interface Packet {
  readonly containerId: string;
  /** Reports that this sandbox could not deliver so far. */
  readonly dropped: number;
  /** Undefined for a report that is well-formed and of no interest: another kind, a thread, a failed system call. */
  readonly report: Report | undefined;
}

export class MalformedPacket extends Error {
  override readonly name = 'MalformedPacket';
}

const MAX_ARGUMENTS = 32;
const MAX_ARGUMENT_LENGTH = 512;
const MAX_PATH_LENGTH = 4096;
const CONTAINER_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

/** common.proto: Handshake { uint32 version = 1 }, with version 1. */
export const HANDSHAKE = Buffer.from([0x08, 0x01]);

/** wire.go: type Header struct { HeaderSize uint16; MessageType uint16; DroppedCount uint32 }, little-endian. */
const MIN_HEADER_BYTES = 8;

/** common.proto: enum MessageType. */
const MESSAGE = { start: 1, clone: 2, exec: 3, exitNotifyParent: 4, rawSyscall: 6, connect: 10 } as const;

type Fields<T> = Readonly<Record<number, (reader: Reader, into: T) => void>>;

interface Context {
  pid: number;
  containerId: string;
  uid: number;
  cwd: string;
}

/** common.proto: message Credentials. */
const credentials: Fields<Context> = { 2: (reader, into) => void (into.uid = reader.uint32()) };

/** common.proto: message ContextData. */
const contextData: Fields<Context> = {
  4: (reader, into) => void (into.pid = reader.int32()),
  6: (reader, into) => void (into.containerId = reader.string()),
  7: (reader, into) => readNested(reader, credentials, into),
  8: (reader, into) => void (into.cwd = reader.string()),
};

interface Message extends Context {
  path: string;
  argv: string[];
  argumentCount: number;
  child: number;
  status: number;
  errno: number;
  exited: boolean;
  address: Uint8Array;
}

/** Every message of gVisor's has its ContextData in field 1. */
const context = { 1: (reader: Reader, into: Message) => readNested(reader, contextData, into) };

function argument(reader: Reader, into: Message): void {
  into.argumentCount += 1;
  if (into.argumentCount > MAX_ARGUMENTS) reader.skipType(2);
  else into.argv.push(reader.string());
}

/** syscall.proto: message Exit { int64 result = 1; int64 errorno = 2 }. */
const syscallExit: Fields<Message> = { 2: (reader, into) => void (into.errno = reader.int32()) };

/** By message type: container.proto, sentry.proto and syscall.proto. */
const MESSAGES: Readonly<Record<number, Fields<Message>>> = {
  /** container.proto: message Start; its context has no credentials of its own. */
  [MESSAGE.start]: { ...context, 3: (reader, into) => void (into.cwd = reader.string()), 4: argument },
  /** sentry.proto: message CloneInfo. */
  [MESSAGE.clone]: { ...context, 4: (reader, into) => void (into.child = reader.int32()) },
  /** sentry.proto: message ExecveInfo. */
  [MESSAGE.exec]: { ...context, 2: (reader, into) => void (into.path = reader.string()), 3: argument },
  /** sentry.proto: message ExitNotifyParentInfo. */
  [MESSAGE.exitNotifyParent]: { ...context, 2: (reader, into) => void (into.status = reader.int32()) },
  /** syscall.proto: message Syscall. */
  [MESSAGE.rawSyscall]: {
    ...context,
    2: (reader, into) => {
      into.exited = true;
      readNested(reader, syscallExit, into);
    },
  },
  /** syscall.proto: message Connect. */
  [MESSAGE.connect]: { ...context, 6: (reader, into) => void (into.address = reader.bytes()) },
};

/** @throws {MalformedPacket} for anything that gVisor would not have sent */
export function decodePacket(packet: Buffer): Packet {
  if (packet.length < MIN_HEADER_BYTES) throw new MalformedPacket(`${packet.length} bytes are too few for a header`);
  const headerSize = packet.readUInt16LE(0);
  const type = packet.readUInt16LE(2);
  const dropped = packet.readUInt32LE(4);
  if (headerSize < MIN_HEADER_BYTES || headerSize > packet.length) {
    throw new MalformedPacket(`a header of ${headerSize} bytes in a packet of ${packet.length}`);
  }
  const message: Message = {
    pid: 0,
    containerId: '',
    uid: 0,
    cwd: '',
    path: '',
    argv: [],
    argumentCount: 0,
    child: 0,
    status: 0,
    errno: 0,
    exited: false,
    address: new Uint8Array(),
  };
  try {
    const reader = Reader.create(packet.subarray(headerSize));
    // An unknown type is not an error: it may be newer than this. Its context is where every message has it.
    readFields(reader, reader.len, MESSAGES[type] ?? context, message);
  } catch (error) {
    throw new MalformedPacket(`message of type ${type}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!CONTAINER_ID.test(message.containerId)) throw new MalformedPacket(`message of type ${type} without a container`);
  return { containerId: message.containerId, dropped, report: toReport(type, message) };
}

function toReport(type: number, message: Message): Report | undefined {
  const { pid } = message;
  if (pid <= 0) return undefined;
  switch (type) {
    case MESSAGE.start:
      return { kind: 'start', pid, program: toProgram({ ...message, path: message.argv[0] ?? '' }) };
    case MESSAGE.clone:
      // A thread shares the thread group of the one that made it.
      return message.child <= 0 || message.child === pid ? undefined : { kind: 'clone', pid, child: message.child };
    case MESSAGE.exec:
      return { kind: 'exec', pid, program: toProgram(message) };
    case MESSAGE.rawSyscall:
      return message.exited && message.errno === 0 ? { kind: 'exec-returned', pid, uid: message.uid } : undefined;
    case MESSAGE.exitNotifyParent:
      return { kind: 'exit', pid, status: message.status };
    case MESSAGE.connect:
      return { kind: 'connect', pid, address: Uint8Array.from(message.address) };
    default:
      return undefined;
  }
}

function toProgram(message: Message): Program {
  const argv = message.argv.map((text) => cut(text, MAX_ARGUMENT_LENGTH));
  const truncated = message.argumentCount > MAX_ARGUMENTS || argv.some((text, i) => text !== message.argv[i]);
  const path = cut(message.path, MAX_PATH_LENGTH);
  return { path, argv, truncated, cwd: cut(message.cwd, MAX_PATH_LENGTH), uid: message.uid };
}

/** Cuts between code points, so that no half of a surrogate pair is left. */
function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  const end = /[\ud800-\udbff]/.test(text[max - 1]!) ? max - 1 : max;
  return text.slice(0, end);
}

function readNested<T>(reader: Reader, fields: Fields<T>, into: T): void {
  const length = reader.uint32();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError('a message ends before its own length');
  readFields(reader, end, fields, into);
}

function readFields<T>(reader: Reader, end: number, fields: Fields<T>, into: T): void {
  while (reader.pos < end) {
    const tag = reader.uint32();
    const read = fields[tag >>> 3];
    if (read) read(reader, into);
    else reader.skipType(tag & 7);
  }
  if (reader.pos !== end) throw new RangeError('a field ends behind its message');
}
