import type { RunEvent } from '../../shared/protocol/events.ts';
import type { Logger } from '../base/logger.ts';

type Listener = (events: readonly RunEvent[]) => void;

export interface EventBus {
  /** Calls each subscriber of the run, one after the other, before it returns. */
  publish(runId: string, events: readonly RunEvent[]): void;
  /** Tells each subscriber of the run that its data was destroyed. */
  destroyed(runId: string): void;
  subscribe(runId: string, listener: Listener, onDestroyed?: () => void): () => void;
}

interface Subscription {
  readonly listener: Listener;
  readonly onDestroyed: (() => void) | undefined;
}

/** Tells subscribers what has become durable. A subscriber that throws harms neither the log nor its neighbours. */
export function createEventBus(logger: Logger): EventBus {
  const subscriptions = new Map<string, Set<Subscription>>();

  function tell(runId: string, what: (subscription: Subscription) => void): void {
    const ofRun = subscriptions.get(runId);
    // A copy, since listeners may subscribe others; and one that has just been unsubscribed is not called any more.
    for (const subscription of Array.from(ofRun ?? [])) {
      if (!ofRun?.has(subscription)) continue;
      try {
        what(subscription);
      } catch (error) {
        logger.error({ err: error, runId }, 'a subscriber to a run failed');
      }
    }
  }

  return {
    publish: (runId, events) => tell(runId, ({ listener }) => listener(events)),
    destroyed: (runId) => tell(runId, ({ onDestroyed }) => onDestroyed?.()),
    subscribe(runId, listener, onDestroyed) {
      const own = { listener, onDestroyed };
      const ofRun = subscriptions.get(runId) ?? new Set();
      subscriptions.set(runId, ofRun.add(own));
      return () => {
        ofRun.delete(own);
        if (ofRun.size === 0 && subscriptions.get(runId) === ofRun) subscriptions.delete(runId);
      };
    },
  };
}
