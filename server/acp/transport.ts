import type { Readable, Writable } from 'node:stream';
import type { AnyMessage, Stream } from '@agentclientprotocol/sdk';
import { AgentFailure } from './failure.ts';
import { readLines } from './lines.ts';

/**
 * The ACP SDK's stream over a process's stdio. The SDK's own `ndJsonStream` reads as fast as the agent writes, answers
 * every line that is not JSON, and starts notifications without waiting for those before; here
 * - the next line is read when the one before has been taken care of: `session/update` goes straight to `onUpdate`, whose
 *   promise the agent's stdout waits for, and reaches the SDK never;
 * - lines that are no messages are handed to `onNoise`, and too many of them end the session;
 * - requests that the agent does not wait for the answers of are not taken in without bound.
 */
export interface TransportOptions {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly limits: TransportLimits;
  readonly onUpdate: (params: unknown) => Promise<void>;
  readonly onNoise: (line: string) => Promise<void>;
}

export interface TransportLimits {
  readonly lineBytes: number;
  /** Lines in a row that are no messages. */
  readonly noiseLines: number;
  /** Requests of the agent that are not answered yet. */
  readonly openRequests: number;
}

export const DEFAULT_LIMITS: TransportLimits = { lineBytes: 16 * 1024 * 1024, noiseLines: 200, openRequests: 32 };

interface Message {
  readonly id?: string | number | null;
  readonly method?: string;
  readonly params?: unknown;
}

/** A JSON-RPC 2.0 message by its members (https://www.jsonrpc.org/specification), or undefined. */
function parseMessage(line: string): Message | undefined {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    return undefined; // Not JSON: noise, which the caller counts.
  }
  if (typeof json !== 'object' || json === null || !('jsonrpc' in json) || json.jsonrpc !== '2.0') return undefined;
  const { id, method } = json as { id?: unknown; method?: unknown };
  const hasId = typeof id === 'string' || typeof id === 'number' || id === null;
  if (id !== undefined && !hasId) return undefined;
  if (method === undefined ? !hasId || !('result' in json || 'error' in json) : typeof method !== 'string')
    return undefined;
  return json as Message;
}

export function createTransport(options: TransportOptions): Stream {
  const { stdin, stdout, limits, onUpdate, onNoise } = options;
  const asked = new Set<string | number>();
  let open = 0;
  let wake: (() => void) | undefined;

  async function* incoming(): AsyncGenerator<AnyMessage> {
    let noise = 0;
    for await (const line of readLines(stdout, limits.lineBytes)) {
      if (line.trim() === '') continue;
      const message = parseMessage(line);
      const unasked = message?.method === undefined && !(message?.id != null && asked.delete(message.id));
      if (!message || unasked) {
        noise += 1;
        if (noise > limits.noiseLines) throw new AgentFailure('agent_protocol', tooNoisy(limits.noiseLines, line));
        await onNoise(line);
        continue;
      }
      noise = 0;
      if (message.method === 'session/update' && message.id === undefined) {
        await onUpdate(message.params);
        continue;
      }
      if (message.method !== undefined && message.id !== undefined) {
        while (open >= limits.openRequests) await new Promise<void>((resolve) => (wake = resolve));
        open += 1;
      }
      yield message as AnyMessage;
    }
  }

  const readable = ReadableStream.from(incoming());
  const writable = new WritableStream<AnyMessage>({
    write: async (message) => {
      if ('method' in message) {
        if ('id' in message && message.id !== null) asked.add(message.id);
      } else {
        open = Math.max(0, open - 1);
        wake?.();
      }
      await new Promise<void>((resolve, reject) => {
        stdin.write(`${JSON.stringify(message)}\n`, (error) => (error ? reject(error) : resolve()));
      });
    },
  });
  return { readable, writable };
}

function tooNoisy(count: number, line: string): string {
  const sample = JSON.stringify(line.slice(0, 80));
  return `The agent wrote ${count} lines that are not ACP messages, ${sample} for one. Is its command right, and does it speak ACP on stdout?`;
}
