import type { EventLog } from '../../../server/events/ports.ts';
import { CaissonError } from '../../../shared/protocol/errors.ts';
import type { RunEvent } from '../../../shared/protocol/events.ts';

export const RUN = 'run_0123456789abcdefghjkmnpqrs';
export const OTHER = 'run_0123456789abcdefghjkmnpqrt';

export function eventOf(runId: string, seq: number, text = `text ${seq}`): RunEvent {
  return {
    runId,
    seq,
    at: '2026-01-02T03:04:05.678Z',
    type: 'agent.message',
    actor: 'agent',
    data: { text },
    nonce: '0'.repeat(32),
    hash: '0'.repeat(64),
  };
}

/** The log as the stream sees it: what is in it, and who is told. */
export function createFakeLog(delay: () => Promise<unknown> = async () => {}) {
  const runs = new Map<string, RunEvent[]>();
  const listeners = new Set<{
    runId: string;
    listener: (events: readonly RunEvent[]) => void;
    onDestroyed: (() => void) | undefined;
  }>();
  const destroyed = new Set<string>();
  const of = (runId: string) => runs.get(runId) ?? [];
  const log: Pick<EventLog, 'range' | 'subscribe'> & {
    append(runId: string, texts: readonly string[]): void;
    destroy(runId: string): void;
    readonly subscribers: number;
  } = {
    async range(runId, { after, limit }) {
      if (destroyed.has(runId)) throw new CaissonError('gone', `The data of run ${runId} was deleted.`);
      // Read first and answer later: what is appended meanwhile is not in the answer.
      const page = of(runId).slice(after, after + limit);
      await delay();
      return page;
    },
    subscribe(runId, listener, onDestroyed) {
      const entry = { runId, listener, onDestroyed };
      listeners.add(entry);
      return () => listeners.delete(entry);
    },
    append(runId, texts) {
      const before = of(runId);
      const events = texts.map((text, index) => eventOf(runId, before.length + index + 1, text));
      runs.set(runId, [...before, ...events]);
      for (const entry of listeners) if (entry.runId === runId) entry.listener(events);
    },
    destroy(runId) {
      destroyed.add(runId);
      for (const entry of listeners) if (entry.runId === runId) entry.onDestroyed?.();
    },
    get subscribers() {
      return listeners.size;
    },
  };
  return log;
}
