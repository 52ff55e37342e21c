import type { RunEvent } from '../../shared/protocol/events.ts';
import type { Logger } from '../base/logger.ts';

type Listener = (events: readonly RunEvent[]) => void;

export interface EventBus {
  /** Calls each subscriber of the run, one after the other, before it returns. */
  publish(runId: string, events: readonly RunEvent[]): void;
  subscribe(runId: string, listener: Listener): () => void;
}

/** Tells subscribers what has become durable. A subscriber that throws harms neither the log nor its neighbours. */
export function createEventBus(logger: Logger): EventBus {
  const listeners = new Map<string, Set<Listener>>();
  return {
    publish(runId, events) {
      const ofRun = listeners.get(runId);
      // A copy, since listeners may subscribe others; and one that has just been unsubscribed is not called any more.
      for (const listener of Array.from(ofRun ?? [])) {
        if (!ofRun?.has(listener)) continue;
        try {
          listener(events);
        } catch (error) {
          logger.error({ err: error, runId }, 'a subscriber to a run failed');
        }
      }
    },
    subscribe(runId, listener) {
      // A function of its own for each subscription, so that the same listener may subscribe twice.
      const own: Listener = (events) => listener(events);
      const ofRun = listeners.get(runId) ?? new Set();
      listeners.set(runId, ofRun.add(own));
      return () => {
        ofRun.delete(own);
        if (ofRun.size === 0 && listeners.get(runId) === ofRun) listeners.delete(runId);
      };
    },
  };
}
