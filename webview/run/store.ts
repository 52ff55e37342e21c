import { receiveEvent, type ClientEvent } from '../../shared/client/event.ts';
import { eventEnvelope } from '../../shared/protocol/events.ts';
import { initialRunView, reduceRun, type RunView } from '../../shared/run/reduce.ts';
import { createEgress, type EgressModel } from './model/egress.ts';
import { createProcesses, type ProcessModel } from './model/processes.ts';
import { createTranscript, type Transcript } from './model/transcript.ts';

export interface StoreOptions {
  readonly runId: string;
  /** Asks for everything after `after` again: an event is missing. Called once for each missing event. */
  readonly resubscribe: (after: number) => void;
  readonly problem: (what: string, error: unknown) => void;
}

/** Everything that the page knows of a run. It only grows, by the run's events in order. */
export interface RunStore {
  readonly view: RunView;
  readonly events: readonly ClientEvent[];
  readonly transcript: Transcript;
  readonly egress: EgressModel;
  readonly processes: ProcessModel;
  /** Events that were received and not looked at yet. */
  readonly waiting: number;
  receive(events: readonly unknown[]): void;
  /** Takes in what was received, until `now()` reaches `until`. @returns whether anything is different now */
  advance(until: number, now?: () => number): boolean;
}

/** Events between two looks at the clock. */
const SLICE = 32;

export function createRunStore({ runId, resubscribe, problem }: StoreOptions): RunStore {
  const events: ClientEvent[] = [];
  const [transcript, egress, processes] = [createTranscript(), createEgress(), createProcesses()];
  let view = initialRunView(runId);
  let queue: unknown[] = [];
  let next = 0;
  let missing = -1;

  function take(input: unknown): void {
    const seq = (input as { seq?: unknown } | null)?.seq;
    if (typeof seq === 'number' && seq <= view.lastSeq) return; // Sent again after a reconnection.
    const event = parse(input);
    if (!event) return;
    if (event.runId !== runId) return problem('An event of another run arrived', event.runId);
    if (event.seq !== view.lastSeq + 1) {
      if (missing !== view.lastSeq) resubscribe((missing = view.lastSeq));
      return;
    }
    view = reduceRun(view, event);
    events.push(event);
    transcript.add(event);
    egress.add(event);
    processes.add(event);
  }

  function parse(input: unknown): ClientEvent | undefined {
    try {
      return receiveEvent(input);
    } catch (error) {
      problem('An event does not have the form of its type', error);
      return malformed(input);
    }
  }

  return {
    events,
    transcript,
    egress,
    processes,
    get view() {
      return view;
    },
    get waiting() {
      return queue.length - next;
    },
    receive(received) {
      queue = next === queue.length ? [...received] : queue.slice(next).concat(received);
      next = 0;
    },
    advance(until, now = () => performance.now()) {
      const before = view;
      while (next < queue.length) {
        for (const end = Math.min(next + SLICE, queue.length); next < end; next++) take(queue[next]);
        if (now() >= until) break;
      }
      return view !== before;
    },
  };
}

/** An event whose data is wrong is still a fact in the log: it is shown as it is, and its place in the chain counts. */
function malformed(input: unknown): ClientEvent | undefined {
  const envelope = eventEnvelope.safeParse(input);
  if (!envelope.success) return undefined;
  return { ...envelope.data, type: `unknown:${envelope.data.type}` } as ClientEvent;
}
