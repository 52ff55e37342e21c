import type { Readable } from 'node:stream';
import { AgentFailure } from './failure.ts';

/**
 * The lines of a stream, without their ends; the last one may be unterminated. Reads on only when the line before has
 * been taken care of. Bytes that are not UTF-8 become U+FFFD.
 * @throws {AgentFailure} `agent_protocol` for a line longer than `maxBytes`
 */
export async function* readLines(stream: Readable, maxBytes: number): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let length = 0;
  const take = (): string => {
    const line = Buffer.concat(parts, length).toString('utf8');
    parts = [];
    length = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  };
  for await (const data of stream) {
    const chunk = data as Buffer;
    let start = 0;
    while (start < chunk.length) {
      const newline = chunk.indexOf(0x0a, start);
      const part = chunk.subarray(start, newline < 0 ? chunk.length : newline);
      length += part.length;
      if (length > maxBytes) {
        throw new AgentFailure(
          'agent_protocol',
          `The agent wrote a line of more than ${maxBytes} bytes; its messages must be shorter.`,
        );
      }
      parts.push(part);
      if (newline < 0) break;
      yield take();
      start = newline + 1;
    }
  }
  if (length > 0) yield take();
}
