import { originalEvent, type ClientEvent } from '../../shared/client/event.ts';
import type { ConnectionState } from '../../shared/client/reconnect.ts';
import type { RunStream } from '../../shared/client/stream.ts';
import type { CaissonError } from '../../shared/protocol/errors.ts';
import type { RunToWebview } from '../../shared/protocol/panel.ts';
import type { Localizer } from '../support/localizer.ts';
import { Batcher } from './batcher.ts';

export interface RunFeedOptions {
  readonly stream: Pick<RunStream, 'subscribe' | 'onStatus' | 'state'>;
  readonly runId: string;
  /** Events with a greater `seq`: what the page has is not sent again. */
  readonly after: number;
  readonly send: (message: RunToWebview) => Promise<unknown>;
  readonly onEvent?: (event: ClientEvent) => void;
  readonly onEnded: (error: CaissonError | undefined) => void;
  readonly l10n: Localizer;
}

/** A message and its receipt take their time whatever is in it, and the next one waits for the receipt. */
const MAX_BATCH = 2000;
const MAX_WAIT_MS = 50;

type Connection = Extract<RunToWebview, { type: 'connection' }>;

/** What a page is told about the connection. */
export function connectionMessage(state: ConnectionState, l10n: Localizer): Connection {
  switch (state.phase) {
    case 'open':
      return { type: 'connection', state: 'live' };
    case 'waiting':
      return {
        type: 'connection',
        state: 'reconnecting',
        message: l10n.t('The next attempt is in {0} s.', Math.ceil(state.delayMs / 1000)),
      };
    case 'closed':
      return state.cause?.code === 'unauthenticated'
        ? { type: 'connection', state: 'signed_out' }
        : { type: 'connection', state: 'reconnecting', ...(state.cause && { message: state.cause.message }) };
    case 'idle':
    case 'connecting':
      break;
  }
  const again = 'failures' in state && state.failures > 0;
  return { type: 'connection', state: again ? 'reconnecting' : 'connecting' };
}

/** One run's events on their way to one page, from where the page is, until closed. */
export function openRunFeed(options: RunFeedOptions): { close(): void } {
  const { stream, send, l10n } = options;
  const batcher = new Batcher<unknown>({
    send: (events) => send({ type: 'events', json: JSON.stringify(events) }),
    maxItems: MAX_BATCH,
    maxWaitMs: MAX_WAIT_MS,
  });
  const tell = (state: ConnectionState) => void send(connectionMessage(state, l10n));
  const stopStatus = stream.onStatus(tell);
  const subscription = stream.subscribe(options.runId, options.after, {
    event: (event) => {
      batcher.add(originalEvent(event));
      options.onEvent?.(event);
    },
    // The page may only believe that it has everything once it does.
    caughtUp: (seq) => void batcher.flush().then(() => send({ type: 'caught_up', seq })),
    ended: (error) => {
      void batcher.flush();
      options.onEnded(error);
    },
  });
  tell(stream.state);
  return {
    close: () => {
      stopStatus();
      subscription.close();
      batcher.close();
    },
  };
}
