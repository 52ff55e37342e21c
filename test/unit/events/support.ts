import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { createEventLog, type EventLogLimits, type RunEventLog } from '../../../server/events/event-log.ts';
import { createCollection } from '../../../server/store/embedded/collection.ts';
import { openDatabase, type EmbeddedDatabase } from '../../../server/store/embedded/database.ts';
import type { Collection, Document, Store } from '../../../server/store/port.ts';
import { createVault } from '../../../server/vault/vault.ts';
import type { NewEvent } from '../../../shared/protocol/events.ts';

export const silent = pino({ level: 'silent' });
export const vault = createVault(Buffer.alloc(32, 7));

/** An event log on a real database in a folder of its own. */
export interface Bench {
  readonly database: EmbeddedDatabase;
  readonly store: Store;
  log: RunEventLog;
  /** The number of calls of insertMany: of transactions. */
  commits: number;
  /** When set, the next transactions fail with it, before anything is written. */
  failure: Error | undefined;
  open(limits?: Partial<EventLogLimits>): Promise<RunEventLog>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function createBench(limits: Partial<EventLogLimits> = {}): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'caisson-events-'));
  const database = openDatabase(join(folder, 'db'), 'k');
  const collections = new Map<string, Collection<Document>>();
  const store: Store = {
    collection<T extends Document>(name: string): Collection<T> {
      const real = collections.get(name) ?? createCollection(database, name);
      collections.set(name, real);
      const watched: Collection<Document> = {
        ...real,
        insertMany: async (documents) => {
          bench.commits++;
          if (bench.failure) throw bench.failure;
          return await real.insertMany(documents);
        },
      };
      return watched as unknown as Collection<T>;
    },
    close: async () => database.close(),
  };
  const open = (more: Partial<EventLogLimits> = limits) =>
    createEventLog({
      store,
      vault,
      clock: { now: () => new Date('2026-01-02T03:04:05.678Z') },
      logger: silent,
      limits: more,
    });
  const bench: Bench = {
    database,
    store,
    log: undefined as unknown as RunEventLog,
    commits: 0,
    failure: undefined,
    open,
    async [Symbol.asyncDispose]() {
      await bench.log.close();
      database.close();
      await rm(folder, { recursive: true });
    },
  };
  bench.log = await open();
  return bench;
}

export function says(text: string): NewEvent {
  return { type: 'agent.message', actor: 'agent', data: { text } };
}
