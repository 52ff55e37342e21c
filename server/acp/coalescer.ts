import type { StreamRedactor } from './session.ts';
import { cutPoint, wellFormed } from './text.ts';

/**
 * Joins the small pieces in which agents and programs talk into events of a readable size: consecutive pieces of one
 * channel for up to `delayMs`, or `maxChars` characters. What was pushed first is written first.
 */
export interface Coalescer<C extends string> {
  /** Resolves when no full piece waits to be written, so that whoever pushes goes at the pace of the log. */
  push(channel: C, text: string): Promise<void>;
  /** Writes everything, also what the redactor held back. Called before anything that must come after the text. */
  flush(): Promise<void>;
}

export interface CoalescerOptions<C extends string> {
  readonly write: (channel: C, text: string) => Promise<void>;
  /** Called when a write fails that nobody waits for. */
  readonly onError: (error: unknown) => void;
  readonly redactor?: (() => StreamRedactor) | undefined;
  readonly maxChars?: number;
  readonly delayMs?: number;
}

const unredacted: StreamRedactor = { push: (chunk) => chunk, flush: () => '' };

export function createCoalescer<C extends string>(options: CoalescerOptions<C>): Coalescer<C> {
  const { write, onError, redactor = () => unredacted, maxChars = 8192, delayMs = 100 } = options;
  let channel: C | undefined;
  let redact = redactor();
  let buffer = '';
  let timer: NodeJS.Timeout | undefined;
  let tail: Promise<void> = Promise.resolve();

  function enqueue(text: string): void {
    if (text === '') return;
    const target = channel!;
    tail = tail.then(() => write(target, wellFormed(text)));
    tail.catch(onError);
  }

  function writeBuffer(): void {
    clearTimeout(timer);
    timer = undefined;
    // The other half of a surrogate pair may be in the next piece.
    const end = /[\ud800-\udbff]$/.test(buffer) ? buffer.length - 1 : buffer.length;
    enqueue(buffer.slice(0, end));
    buffer = buffer.slice(end);
  }

  function endChannel(): void {
    buffer += redact.flush();
    writeBuffer();
    enqueue(buffer);
    buffer = '';
    redact = redactor();
  }

  return {
    push: async (to, text) => {
      if (channel !== to) endChannel();
      channel = to;
      buffer += redact.push(text);
      while (buffer.length >= maxChars) {
        const end = cutPoint(buffer, maxChars);
        enqueue(buffer.slice(0, end));
        buffer = buffer.slice(end);
      }
      if (buffer !== '') timer ??= setTimeout(writeBuffer, delayMs);
      await tail;
    },
    flush: async () => {
      endChannel();
      channel = undefined;
      await tail;
    },
  };
}
