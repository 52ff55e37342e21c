import { describe, expect, test } from 'vitest';
import type { Subscriber } from '../../../../shared/client/feed.ts';
import type { ConnectionState } from '../../../../shared/client/reconnect.ts';
import { CaissonError } from '../../../../shared/protocol/errors.ts';
import { runToWebview, type RunToWebview } from '../../../../shared/protocol/panel.ts';
import { connectionMessage, openRunFeed } from '../../../../extension/panels/run-feed.ts';
import { english } from '../../../../extension/support/localizer.ts';
import { RUN_ID, runEvent } from '../../../support/run-events.ts';

describe('what a page is told about the connection', () => {
  test.each<[ConnectionState, string]>([
    [{ phase: 'idle' }, 'connecting'],
    [{ phase: 'connecting', failures: 0 }, 'connecting'],
    [{ phase: 'connecting', failures: 2 }, 'reconnecting'],
    [{ phase: 'open', failures: 0 }, 'live'],
    [{ phase: 'waiting', failures: 1, delayMs: 900, why: 'cut' }, 'reconnecting'],
    [{ phase: 'closed', cause: { code: 'unauthenticated', message: 'no' } }, 'signed_out'],
    [{ phase: 'closed', cause: { code: 'unavailable', message: 'no' } }, 'reconnecting'],
    [{ phase: 'closed', cause: null }, 'reconnecting'],
  ])('%j', (state, expected) => {
    const message = connectionMessage(state, english);
    expect(message.state).toBe(expected);
    expect(runToWebview.parse(message)).toEqual(message);
  });
});

describe('a run on its way to a page', () => {
  function aFeed() {
    const sent: RunToWebview[] = [];
    const stream = {
      state: { phase: 'open', failures: 0 } as ConnectionState,
      after: -1,
      subscriber: undefined as Subscriber | undefined,
      statusListeners: 0,
      subscribe: (_runId: string, after: number, subscriber: Subscriber) => {
        stream.after = after;
        stream.subscriber = subscriber;
        return { close: () => void (stream.subscriber = undefined) };
      },
      onStatus: () => {
        stream.statusListeners++;
        return () => void stream.statusListeners--;
      },
    };
    const ended: (CaissonError | undefined)[] = [];
    const feed = openRunFeed({
      stream,
      runId: RUN_ID,
      after: 41,
      send: (message) => Promise.resolve(sent.push(message)),
      onEnded: (error) => ended.push(error),
      l10n: english,
    });
    return { feed, stream, sent, ended };
  }

  test('begins where the page is and says that it is live', () => {
    const { stream, sent } = aFeed();
    expect(stream.after).toBe(41);
    expect(sent).toEqual([{ type: 'connection', state: 'live' }]);
  });

  test('the page hears that it has everything after it has everything', async () => {
    const { stream, sent } = aFeed();
    for (let seq = 42; seq < 4242; seq++) stream.subscriber?.event(runEvent(seq, 'agent.message'));
    stream.subscriber?.caughtUp?.(4241);
    await new Promise((resolve) => setTimeout(resolve));
    expect(
      sent.map((message) =>
        message.type === 'events' ? (JSON.parse(message.json) as unknown[]).length : message.type,
      ),
    ).toEqual(['connection', 2000, 2000, 200, 'caught_up']);
  });

  test('events arrive as the server sent them, also those of types that are not known here', async () => {
    const { stream, sent } = aFeed();
    const event = { ...runEvent(42, 'error'), type: 'unknown:run.moon' as const, data: { phase: 'full' } };
    stream.subscriber?.event(event);
    stream.subscriber?.caughtUp?.(42);
    await new Promise((resolve) => setTimeout(resolve));
    expect(sent).toContainEqual({ type: 'events', json: JSON.stringify([{ ...event, type: 'run.moon' }]) });
  });

  test('closing takes everything away', () => {
    const { feed, stream } = aFeed();
    feed.close();
    expect([stream.subscriber, stream.statusListeners]).toEqual([undefined, 0]);
  });

  test('the end is passed on', () => {
    const { stream, ended } = aFeed();
    const error = new CaissonError('gone', 'deleted');
    stream.subscriber?.ended(error);
    expect(ended).toEqual([error]);
  });
});
