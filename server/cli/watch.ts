import { createHash } from 'node:crypto';
import type { Client } from '../../shared/client/client.ts';
import { originalEvent, type ClientEvent } from '../../shared/client/event.ts';
import type { ConnectionState } from '../../shared/client/reconnect.ts';
import { initialRunView, reduceRun, type RunView } from '../../shared/run/reduce.ts';
import { EXIT } from './exit.ts';
import { renderEvent } from './output/render-event.ts';
import type { Terminal } from './terminal.ts';

export interface PrintOptions {
  readonly json: boolean;
  readonly verbose: boolean;
  /** The run's creation, which offsets are counted from. */
  readonly start: string;
}

/** Prints events as they come: NDJSON as the server sent them, or lines for people. */
export function eventPrinter(terminal: Terminal, { json, verbose, start }: PrintOptions) {
  return async (event: ClientEvent): Promise<void> => {
    if (json) return terminal.out(JSON.stringify(originalEvent(event)));
    const lines = renderEvent(event, { paint: terminal.paint, start, verbose });
    if (lines.length > 0) await terminal.out(lines.join('\n'));
  };
}

/** The last line of `--json`: what became of the run. */
export function outcomeLine(view: Pick<RunView, 'runId' | 'state' | 'failure'>): string {
  return JSON.stringify({ runId: view.runId, state: view.state, ...(view.failure && { failure: view.failure }) });
}

export function exitCodeOf(state: RunView['state']): number {
  return state === 'succeeded' ? EXIT.succeeded : EXIT.failed;
}

/** OpenSSL's SHA-256, several times as fast as the portable one. */
export const sha256 = (message: Uint8Array): Uint8Array => createHash('sha256').update(message).digest();

/** Tells of a connection that is lost and found again; says nothing while all is well. */
export function connectionNotes(terminal: Terminal): (state: ConnectionState) => void {
  let lost = false;
  return (state) => {
    if (state.phase === 'waiting' && !lost) {
      lost = true;
      terminal.note(terminal.notePaint('warn', `Connection lost (${state.why}); the run goes on. Reconnecting …`));
    } else if (state.phase === 'open' && lost) {
      lost = false;
      terminal.note(terminal.notePaint('dim', 'Connected again; nothing was missed.'));
    }
  };
}

export interface WatchOptions extends PrintOptions {
  readonly after?: number;
  readonly signal: AbortSignal;
  readonly print?: (event: ClientEvent) => boolean;
  /** Called after each event has been printed, with what the run is by then. */
  readonly onEvent?: (event: ClientEvent, view: RunView) => void;
}

/** Follows a run to its end, prints and verifies it, and returns what it came to. */
export async function watchRun(
  client: Client,
  terminal: Terminal,
  runId: string,
  options: WatchOptions,
): Promise<RunView> {
  const print = eventPrinter(terminal, options);
  let view = initialRunView(runId);
  const events = client.follow(runId, {
    after: options.after ?? 0,
    signal: options.signal,
    onStatus: connectionNotes(terminal),
    verify: true,
    sha256,
  });
  for await (const event of events) {
    view = reduceRun(view, event);
    if (options.print?.(event) ?? true) await print(event);
    options.onEvent?.(event, view);
  }
  return view;
}
