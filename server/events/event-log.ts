import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChainLink } from '../../shared/audit/verify.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { RunEvent } from '../../shared/protocol/events.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { Store } from '../store/port.ts';
import type { Vault } from '../vault/vault.ts';
import { createEventBus } from './event-bus.ts';
import { createEventReader } from './event-reader.ts';
import { placeEvent, prepareEvent, type EventRecord, type Place, type PreparedEvent } from './event-record.ts';
import { LogUnavailable, type EventLog } from './ports.ts';
import { createRunKeys } from './run-keys.ts';

export interface EventLogLimits {
  readonly maxEventsPerRun: number;
  /** Of data, as canonical JSON. */
  readonly maxBytesPerRun: number;
  /** Of the data of one event; larger data is cut (see limitData). */
  readonly maxEventBytes: number;
}

const MIB = 1024 * 1024;
const DEFAULT_LIMITS: EventLogLimits = { maxEventsPerRun: 200_000, maxBytesPerRun: 256 * MIB, maxEventBytes: MIB };

/**
 * What one transaction takes at most. The embedded store is synchronous: 100 small events take some 5 ms, during which
 * nothing else happens in the process. A call that is larger than this goes alone.
 */
const BATCH = { events: 100, bytes: MIB / 2 };

/** A run that has reached its limit must still be able to say how it ended. */
const RESERVE = { events: 1000, bytes: 16 * MIB };
const ENDING: ReadonlySet<string> = new Set([
  'run.state',
  'run.result',
  'sandbox.step',
  'sandbox.exited',
  'sandbox.destroyed',
  'egress.closed',
  'agent.turn_ended',
  'approval.resolved',
  'alert.raised',
  'error',
]);

export interface RunEventLog extends EventLog {
  /** The chain without the data, for verification; it outlives the data. */
  links(runId: string, query: { after: number; limit: number }): Promise<readonly ChainLink[]>;
  /** Makes the run's data unreadable for good. The chain still verifies; `range` and `append` then throw `gone`. */
  destroyKey(runId: string): Promise<void>;
  /** Forgets what is held in memory for a run that is over. It is read again when needed. */
  release(runId: string): void;
  /** Takes no more events, and resolves when those that it has taken are durable. */
  close(): Promise<void>;
}

/** The end of a run that is being written, and the key for its data. */
interface Tail extends Place {
  readonly key: Buffer;
}

/** One call of `append` that waits to become durable. */
interface Call {
  readonly runId: string;
  readonly events: readonly PreparedEvent[];
  readonly bytes: number;
  readonly resolve: (events: readonly RunEvent[]) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The log of all runs, with one writer. Calls that arrive while a transaction is under way go together into the next
 * one (group commit), so that durability costs one sync for many events.
 *
 * It fails closed: when a transaction fails, every call in it is rejected and nobody has seen their events. What is in
 * memory about those runs is forgotten, so that the next event is placed behind what is really in the store.
 */
export async function createEventLog(options: {
  store: Store;
  vault: Vault;
  clock: Clock;
  logger: Logger;
  limits?: Partial<EventLogLimits>;
}): Promise<RunEventLog> {
  const { store, vault, clock, logger } = options;
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const records = store.collection<EventRecord>('events');
  const keys = createRunKeys(store, vault, clock);
  const reader = createEventReader(records, keys, vault);
  const bus = createEventBus(logger);

  const tails = new Map<string, Tail>();
  const queue: Call[] = [];
  let writing: Promise<void> | undefined;
  let closed = false;

  const tailOf = async (runId: string): Promise<Tail> =>
    tails.get(runId) ?? { ...(await reader.last(runId)), key: await keys.findOrCreate(runId) };

  const write = async (): Promise<void> => {
    // What the event loop has at hand now goes into the first transaction already.
    while (queue.length > 0) {
      await nextTurn();
      await commit(takeBatch(queue));
    }
    writing = undefined;
  };

  const commit = async (batch: readonly Call[]): Promise<void> => {
    const ends = new Map<string, Tail>();
    const placed: EventRecord[] = [];
    const durable: { call: Call; events: RunEvent[] }[] = [];
    for (const call of batch) {
      try {
        const tail = ends.get(call.runId) ?? (await tailOf(call.runId));
        checkLimits(call, tail, limits);
        const { end, records: ofCall, events } = placeCall(call, tail, vault);
        ends.set(call.runId, end);
        placed.push(...ofCall);
        durable.push({ call, events });
      } catch (error) {
        call.reject(unavailable(error));
      }
    }
    try {
      if (placed.length > 0) await records.insertMany(placed);
    } catch (error) {
      for (const runId of ends.keys()) tails.delete(runId);
      logger.error({ err: error, runs: [...ends.keys()], events: placed.length }, 'the event log could not be written');
      for (const { call } of durable) call.reject(unavailable(error));
      return;
    }
    for (const [runId, tail] of ends) tails.set(runId, tail);
    for (const { call, events } of durable) {
      if (events.some(endsRun)) tails.delete(call.runId);
      bus.publish(call.runId, events);
      call.resolve(events);
    }
  };

  return {
    async append(runId, events) {
      if (closed) throw new LogUnavailable('log_unavailable', 'The event log is closed; the server is stopping.');
      if (events.length === 0) return [];
      const at = clock.now().toISOString();
      const prepared = events.map((event) => prepareEvent(event, at, limits.maxEventBytes));
      const bytes = prepared.reduce((sum, { opening }) => sum + opening.length, 0);
      return await new Promise((resolve, reject) => {
        queue.push({ runId, events: prepared, bytes, resolve, reject });
        writing ??= write();
      });
    },
    range: (runId, query) => reader.range(runId, query),
    links: (runId, query) => reader.links(runId, query),
    async head(runId) {
      const { seq, hash } = tails.get(runId) ?? (await reader.last(runId));
      return { seq, hash };
    },
    subscribe: (runId, listener, onDestroyed) => bus.subscribe(runId, listener, onDestroyed),
    async destroyKey(runId) {
      await keys.destroy(runId);
      tails.delete(runId);
      bus.destroyed(runId);
    },
    release: (runId) => void tails.delete(runId),
    async close() {
      closed = true;
      await writing;
    },
  };
}

function takeBatch(queue: Call[]): Call[] {
  let events = 0;
  let bytes = 0;
  const end = queue.findIndex((call, index) => {
    events += call.events.length;
    bytes += call.bytes;
    return index > 0 && (events > BATCH.events || bytes > BATCH.bytes);
  });
  return queue.splice(0, end === -1 ? queue.length : end);
}

/** Puts all events of a call behind `tail`, or throws and has put none. */
function placeCall(call: Call, tail: Tail, vault: Vault): { end: Tail; records: EventRecord[]; events: RunEvent[] } {
  const records: EventRecord[] = [];
  const events: RunEvent[] = [];
  let end = tail;
  for (const prepared of call.events) {
    const { record, event } = placeEvent(call.runId, end, prepared, vault, tail.key);
    end = { key: tail.key, seq: record.seq, hash: record.hash, total: record.total };
    records.push(record);
    events.push(event);
  }
  return { end, records, events };
}

function checkLimits(call: Call, tail: Place, limits: EventLogLimits): void {
  const ending = call.events.every((event) => ENDING.has(event.type));
  const maxEvents = limits.maxEventsPerRun + (ending ? RESERVE.events : 0);
  const maxBytes = limits.maxBytesPerRun + (ending ? RESERVE.bytes : 0);
  if (tail.seq + call.events.length > maxEvents) {
    throw new LogUnavailable('log_limit', `The run has reached the limit of ${limits.maxEventsPerRun} events.`);
  }
  if (tail.total + call.bytes > maxBytes) {
    throw new LogUnavailable('log_limit', `The run has reached the limit of ${limits.maxBytesPerRun} bytes of events.`);
  }
}

/** A run that was deleted says so; everything else that keeps events from disk is one thing to the run: it must stop. */
function unavailable(error: unknown): Error {
  if (error instanceof LogUnavailable) return error;
  if (error instanceof CaissonError && error.code === 'gone') return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new LogUnavailable('log_unavailable', `The event log cannot be written: ${detail}`, error);
}

function endsRun(event: RunEvent): boolean {
  return event.type === 'run.state' && isFinal(event.data.to);
}
