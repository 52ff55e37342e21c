import { Writer } from 'protobufjs/minimal.js';

/** Packets as gVisor's remote sink writes them: an 8-byte header, then the message. Field numbers: decode.ts. */
export interface Context {
  readonly containerId?: string;
  readonly pid?: number;
  readonly uid?: number;
  readonly cwd?: string;
}

export function packet(type: number, message: Uint8Array, dropped = 0, headerSize = 8): Buffer {
  const header = Buffer.alloc(Math.max(8, headerSize));
  header.writeUInt16LE(headerSize, 0);
  header.writeUInt16LE(type, 2);
  header.writeUInt32LE(dropped, 4);
  return Buffer.concat([header, message]);
}

/** A message with its ContextData in field 1, to which more fields can be added. */
export function message({ containerId = 'box', pid = 7, uid, cwd }: Context = {}): Writer {
  const writer = Writer.create().uint32(tag(1, 2)).fork();
  writer.uint32(tag(4, 0)).int32(pid).uint32(tag(6, 2)).string(containerId);
  if (uid !== undefined) writer.uint32(tag(7, 2)).fork().uint32(tag(2, 0)).uint32(uid).ldelim();
  if (cwd !== undefined) writer.uint32(tag(8, 2)).string(cwd);
  return writer.ldelim();
}

export function execPacket(
  context: Context,
  path: string,
  argv: readonly string[],
  env: readonly string[] = [],
): Buffer {
  const writer = message(context).uint32(tag(2, 2)).string(path);
  for (const argument of argv) writer.uint32(tag(3, 2)).string(argument);
  for (const variable of env) writer.uint32(tag(4, 2)).string(variable);
  return packet(3, writer.finish());
}

export function connectPacket(context: Context, address: Uint8Array): Buffer {
  return packet(10, message(context).uint32(tag(6, 2)).bytes(address).finish());
}

export const tag = (field: number, wireType: number) => (field << 3) | wireType;

export function inet(address: string, port: number): Buffer {
  return Buffer.from([2, 0, port >> 8, port & 0xff, ...address.split('.').map(Number), 0, 0, 0, 0, 0, 0, 0, 0]);
}
