import type { Readable } from 'node:stream';
import { createCoalescer } from './coalescer.ts';
import type { SessionContext } from './session.ts';

/** Characters of an ACP agent's diagnostics that a run keeps; a program that logs without end must not fill the log. */
const MAX_CHARS = 1024 * 1024;
const TAIL_CHARS = 2000;

/** An agent's diagnostics: into the log as they come, and the last of them for the message of a failure. */
export interface Diagnostics {
  /** A line that did not come from stderr. */
  note(line: string): Promise<void>;
  /** The end of what is in the log. */
  tail(): string;
  /** Resolves when the stream has ended and everything is in the log. */
  readonly ended: Promise<void>;
  flush(): Promise<void>;
}

export function createDiagnostics(
  stderr: Readable,
  context: SessionContext,
  onError: (error: unknown) => void,
): Diagnostics {
  let kept = 0;
  let tail = '';
  const coalescer = createCoalescer<'stderr'>({
    write: (_, text) => {
      // From here, where secrets are gone already: cutting first could leave a secret's second half.
      tail = `${tail}${text}`.slice(-TAIL_CHARS);
      return context.emit({ type: 'agent.stderr', actor: 'agent', data: { text } });
    },
    redactor: context.streamRedactor,
    onError,
    delayMs: 250,
  });

  async function take(text: string): Promise<void> {
    if (kept > MAX_CHARS) return;
    kept += text.length;
    await coalescer.push('stderr', text);
    if (kept > MAX_CHARS) await coalescer.push('stderr', '\n(more was written, and is not kept)\n');
  }

  async function pump(): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stderr) await take(decoder.decode(chunk as Buffer, { stream: true }));
    await take(decoder.decode());
    await coalescer.flush();
  }

  const ended = pump();
  ended.catch(onError);
  return {
    note: (line) => take(`${line.slice(0, TAIL_CHARS)}\n`),
    tail: () => tail.trim(),
    ended,
    flush: () => coalescer.flush(),
  };
}
