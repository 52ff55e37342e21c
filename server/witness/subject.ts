import type { NewEvent } from '../../shared/protocol/events.ts';
import { messageOf } from '../base/lifecycle.ts';
import { alert, createAccount } from './account.ts';
import type { Packet } from './decode.ts';
import { createReconciler } from './reconcile.ts';

/** Events that may wait for the watcher. A kernel that is this far ahead of the log cannot be followed any more. */
const MAX_WAITING = 50_000;
/** Milliseconds that a destroyed sandbox's last reports may take to arrive. */
const DRAIN_MS = 1000;

export interface Watcher {
  /** Takes the next events. The next call comes after the promise has settled, so the log sets the pace. */
  onEvents(events: readonly NewEvent[]): void | Promise<void>;
  onLost(reason: string): void;
}

/** One watched sandbox. */
export interface Subject {
  report(packet: Packet): void;
  malformed(reason: string): void;
  lose(reason: string): void;
  /** Resolves when everything that was reported has been handed over; see {@link TraceSink.watch}. */
  stop(): Promise<void>;
}

export function createSubject(watcher: Watcher, firstReportMs: number): Subject {
  const account = createAccount();
  const reconcile = createReconciler();
  let waiting: NewEvent[] = [];
  let scheduled = false;
  let dropped = 0;
  let reported = false;
  let state: 'watching' | 'stopping' | 'ended' = 'watching';
  let onEnded: (() => void) | undefined;
  let delivery = Promise.resolve();

  // A trace session with a wrong field name never opens and never fails: silence is the only sign of it.
  const silence = setTimeout(() => lose(`gVisor reported nothing within ${firstReportMs / 1000} s`), firstReportMs);
  silence.unref();

  function enqueue(events: readonly NewEvent[]): void {
    if (events.length === 0) return;
    if (waiting.length + events.length > MAX_WAITING) {
      lose(`more than ${MAX_WAITING} of the kernel's reports wait to be written`);
      return;
    }
    waiting.push(...events);
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      delivery = delivery.then(deliver);
    });
  }

  async function deliver(): Promise<void> {
    const batch = waiting;
    if (batch.length === 0) return;
    waiting = [];
    try {
      await watcher.onEvents(batch);
    } catch (error) {
      lose(`what the kernel reported could not be recorded: ${messageOf(error)}`);
    }
  }

  function lose(reason: string): void {
    clearTimeout(silence);
    const was = state;
    state = 'ended';
    onEnded?.();
    if (was === 'watching') watcher.onLost(reason);
  }

  return {
    report: (packet) => {
      if (state === 'ended') return;
      reported = true;
      clearTimeout(silence);
      const events = packet.report ? account.record(packet.report) : [];
      const alerts = reconcile(events);
      if (packet.dropped > dropped) {
        if (dropped === 0)
          alerts.push(
            alert('witness.dropped', `gVisor could not deliver ${packet.dropped} reports: this account has gaps.`),
          );
        dropped = packet.dropped;
      }
      enqueue([...events, ...alerts]);
    },
    malformed: (reason) => {
      if (state === 'watching')
        enqueue([alert('witness.malformed', `A report of gVisor could not be read: ${reason}.`)]);
    },
    lose,
    stop: async () => {
      clearTimeout(silence);
      if (state === 'watching') state = 'stopping';
      if (state === 'stopping' && reported) {
        // The end of gVisor's connection is behind its last report.
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, DRAIN_MS);
          onEnded = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      state = 'ended';
      delivery = delivery.then(deliver);
      await delivery;
    },
  };
}
