/**
 * Reads a TLS ClientHello as it arrives, no further, and never more than a bounded number of bytes: RFC 8446 §4.1.2
 * and §5.1 (records), RFC 6066 §3 (server_name), RFC 9849 (encrypted_client_hello). Unknown and GREASE (RFC 8701)
 * extensions are skipped. Whatever a server could read differently is refused: a repeated extension, more than one
 * name, bytes left over.
 */
export type HelloState =
  | { readonly state: 'incomplete' }
  | { readonly state: 'not-tls'; readonly problem: string }
  | { readonly state: 'malformed'; readonly problem: string }
  | { readonly state: 'hello'; readonly serverName: string | undefined; readonly encrypted: boolean };

const HANDSHAKE_RECORD = 22;
const CLIENT_HELLO = 1;
const RECORD_HEADER = 5;
const HANDSHAKE_HEADER = 4;
/** RFC 8446 §5.1: a plaintext record carries at most 2^14 bytes. */
const MAX_RECORD = 16_384;
const SERVER_NAME = 0x0000;
const ENCRYPTED_CLIENT_HELLO = 0xfe0d;
/** Drafts of ESNI before ECH hid the name in this one. */
const ENCRYPTED_SERVER_NAME = 0xffce;

export class ClientHelloReader {
  readonly #maxBytes: number;
  /** The handshake message without its record headers; grows to at most `maxBytes`. */
  readonly #message: Buffer;
  #filled = 0;
  #seen = 0;
  readonly #header = Buffer.alloc(RECORD_HEADER);
  #headerFilled = 0;
  #leftInRecord = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.#message = Buffer.alloc(maxBytes);
  }

  /** Takes the next bytes of the stream. Each byte is looked at once, however the stream is cut. */
  push(chunk: Buffer): HelloState {
    this.#seen += chunk.length;
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#leftInRecord === 0) {
        offset = this.#readHeader(chunk, offset);
        const problem = this.#headerProblem();
        if (problem) return problem;
        continue;
      }
      const take = Math.min(this.#leftInRecord, chunk.length - offset, this.#message.length - this.#filled);
      if (take === 0) return malformed(`the ClientHello is longer than ${this.#maxBytes} bytes`);
      chunk.copy(this.#message, this.#filled, offset, offset + take);
      this.#filled += take;
      offset += take;
      this.#leftInRecord -= take;
      const result = this.#inspect();
      if (result.state !== 'incomplete') return result;
    }
    // Records of one byte each carry little and cost six, so the raw bytes are bounded as well.
    return this.#seen > 2 * this.#maxBytes
      ? malformed('the ClientHello is cut into too many records')
      : { state: 'incomplete' };
  }

  #readHeader(chunk: Buffer, offset: number): number {
    const take = Math.min(RECORD_HEADER - this.#headerFilled, chunk.length - offset);
    chunk.copy(this.#header, this.#headerFilled, offset, offset + take);
    this.#headerFilled += take;
    return offset + take;
  }

  /** Judges the record header as far as it is known, so that plain text is recognized by its first byte. */
  #headerProblem(): HelloState | undefined {
    const type = this.#header[0];
    if (type !== HANDSHAKE_RECORD)
      return { state: 'not-tls', problem: 'it does not begin with a TLS handshake record' };
    if (this.#headerFilled >= 2 && this.#header[1] !== 3)
      return { state: 'not-tls', problem: 'it is not a version of TLS' };
    if (this.#headerFilled < RECORD_HEADER) return undefined;
    this.#leftInRecord = this.#header.readUInt16BE(3);
    this.#headerFilled = 0;
    if (this.#leftInRecord === 0) return malformed('it has an empty handshake record, which RFC 8446 forbids');
    if (this.#leftInRecord > MAX_RECORD) return malformed('it has a record longer than TLS allows');
    return undefined;
  }

  #inspect(): HelloState {
    if (this.#message[0] !== CLIENT_HELLO) return malformed('its first handshake message is not a ClientHello');
    if (this.#filled < HANDSHAKE_HEADER) return { state: 'incomplete' };
    const length = this.#message.readUIntBE(1, 3);
    if (HANDSHAKE_HEADER + length > this.#maxBytes)
      return malformed(`the ClientHello is longer than ${this.#maxBytes} bytes`);
    if (this.#filled < HANDSHAKE_HEADER + length) return { state: 'incomplete' };
    try {
      return parseBody(new Reader(this.#message.subarray(HANDSHAKE_HEADER, HANDSHAKE_HEADER + length)));
    } catch (error) {
      if (error instanceof Truncated) return malformed('a length in it points beyond its end');
      throw error;
    }
  }
}

function parseBody(body: Reader): HelloState {
  body.take(2 + 32); // legacy_version, random
  body.take(body.uint(1)); // legacy_session_id
  body.take(body.uint(2)); // cipher_suites
  body.take(body.uint(1)); // legacy_compression_methods
  if (body.left === 0) return { state: 'hello', serverName: undefined, encrypted: false };
  const extensions = new Reader(body.take(body.uint(2)));
  if (body.left > 0) return malformed('bytes follow its extensions');
  const seen = new Set<number>();
  let serverName: string | undefined;
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    const data = new Reader(extensions.take(extensions.uint(2)));
    if (seen.has(type)) return malformed('it repeats an extension, which RFC 8446 forbids');
    seen.add(type);
    if (type !== SERVER_NAME) continue;
    const parsed = parseServerName(data);
    if (parsed === undefined) return malformed('its server_name extension does not hold exactly one host name');
    serverName = parsed;
  }
  return { state: 'hello', serverName, encrypted: seen.has(ENCRYPTED_CLIENT_HELLO) || seen.has(ENCRYPTED_SERVER_NAME) };
}

/** RFC 6066 §3: a list, in practice of one host_name (type 0). */
function parseServerName(data: Reader): string | undefined {
  const list = new Reader(data.take(data.uint(2)));
  const type = list.uint(1);
  const name = list.take(list.uint(2));
  if (type !== 0 || list.left > 0 || data.left > 0 || name.length === 0) return undefined;
  const text = name.toString('latin1');
  return /^[\u0021-\u007e]+$/.test(text) ? text : undefined;
}

function malformed(problem: string): HelloState {
  return { state: 'malformed', problem };
}

class Truncated extends Error {
  override readonly name = 'Truncated';
}

class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  uint(size: number): number {
    return this.take(size).readUIntBE(0, size);
  }

  take(size: number): Buffer {
    if (size > this.left) throw new Truncated();
    this.#offset += size;
    return this.#bytes.subarray(this.#offset - size, this.#offset);
  }
}
