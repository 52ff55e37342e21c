import type { Clock } from './base/clock.ts';
import { messageOf, withDeadline } from './base/lifecycle.ts';
import type { Logger } from './base/logger.ts';
import type { SandboxRuntime } from './sandbox/sandbox.ts';
import type { Store } from './store/port.ts';

/** What a run needs from the first moment on: a log that takes events, and an engine that makes sandboxes. */
export interface Readiness {
  readonly log: boolean;
  readonly engine: boolean;
}

interface ProbeDoc {
  readonly _id: string;
  readonly at: string;
}

const PROBE = 'readiness';
const DEADLINE_MS = 5_000;
/** Anybody may ask, so the answer is kept for a moment: asking often must not become work for the disk and the engine. */
const KEEP_MS = 1_000;

export function createReadinessCheck(options: {
  store: Store;
  sandboxes: Pick<SandboxRuntime, 'describe'>;
  clock: Clock;
  logger: Logger;
}): () => Promise<Readiness> {
  const { store, sandboxes, clock, logger } = options;
  const probes = store.collection<ProbeDoc>('probes');

  /** A durable write, as an event's: reading still works on a disk that is full. */
  const writeProbe = async (): Promise<void> => {
    const at = clock.now().toISOString();
    const { matchedCount } = await probes.updateOne({ _id: PROBE }, { $set: { at } });
    if (matchedCount === 0) await probes.insertOne({ _id: PROBE, at });
  };

  const works = async (what: string, task: Promise<unknown>): Promise<boolean> => {
    try {
      await withDeadline(task, DEADLINE_MS, what);
      return true;
    } catch (error) {
      logger.warn({ error: messageOf(error) }, `not ready: ${what} failed`);
      return false;
    }
  };

  let last: { readonly at: number; readonly answer: Promise<Readiness> } | undefined;
  return () => {
    const now = clock.now().getTime();
    if (last === undefined || now - last.at >= KEEP_MS) {
      const checks = Promise.all([
        works('writing to the log', writeProbe()),
        works('asking the engine', sandboxes.describe()),
      ]);
      last = { at: now, answer: checks.then(([log, engine]) => ({ log, engine })) };
    }
    return last.answer;
  };
}
