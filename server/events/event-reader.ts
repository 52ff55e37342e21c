import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ChainLink } from '../../shared/audit/verify.ts';
import { GENESIS } from '../../shared/audit/chain.ts';
import { eventTypes, type RunEvent } from '../../shared/protocol/events.ts';
import type { Collection, Filter } from '../store/port.ts';
import type { Vault } from '../vault/vault.ts';
import { linkOf, openRecord, recordId, type EventRecord, type Place } from './event-record.ts';
import type { RangeQuery } from './ports.ts';
import type { RunKeys } from './run-keys.ts';

/**
 * How many places a search by type looks at in one go. There is no index by type: keeping it would cost every append
 * about a third of its speed, whereas a search reads some 200,000 events/s and yields after each window.
 */
const WINDOW = 1000;

/** Reads a run's events from the store, which holds only what is durable. */
export interface EventReader {
  /** @throws {CaissonError} `gone` when the run's data key was destroyed */
  range(runId: string, query: RangeQuery): Promise<readonly RunEvent[]>;
  /** The chain without the data, in order; it can be had for as long as the records exist. */
  links(runId: string, query: { after: number; limit: number }): Promise<readonly ChainLink[]>;
  last(runId: string): Promise<Place>;
}

export function createEventReader(records: Collection<EventRecord>, keys: RunKeys, vault: Vault): EventReader {
  // Places have no gaps, so a page is a range of ids, and nothing needs to be sorted or skipped.
  const page = (runId: string, after: number, count: number, filter: Filter = {}): Promise<EventRecord[]> =>
    records
      .find(
        { _id: { $gt: recordId(runId, after), $lte: recordId(runId, after + count) }, ...filter },
        { sort: { _id: 1 } },
      )
      .toArray();

  const ofTypes = async (runId: string, query: RangeQuery, types: readonly string[]): Promise<EventRecord[]> => {
    const found: EventRecord[] = [];
    const { seq: end } = await last(runId);
    for (let after = query.after; after < end && found.length < query.limit; after += WINDOW) {
      found.push(...(await page(runId, after, WINDOW, { type: { $in: types } })));
      await nextTurn();
    }
    return found.slice(0, query.limit);
  };

  const last = async (runId: string): Promise<Place> => {
    const ofRun = { $gt: recordId(runId, 0), $lte: recordId(runId, 9_999_999_999) };
    const [record] = await records.find({ _id: ofRun }, { sort: { _id: -1 }, limit: 1 }).toArray();
    return record ? { seq: record.seq, hash: record.hash, total: record.total } : { seq: 0, hash: GENESIS, total: 0 };
  };

  return {
    async range(runId, query) {
      if (query.limit < 1) return [];
      const key = await keys.find(runId);
      if (!key) return [];
      const found = query.types
        ? await ofTypes(runId, query, typesOf(query.types))
        : await page(runId, query.after, query.limit);
      return found.map((record) => openRecord(record, vault, key));
    },
    async links(runId, { after, limit }) {
      return (await page(runId, after, limit)).map(linkOf);
    },
    last,
  };
}

/** The types that a query names; `egress.*` names the family. Unknown ones name nothing. */
function typesOf(wanted: readonly string[]): string[] {
  return eventTypes.filter((type) =>
    wanted.some((name) => (name.endsWith('.*') ? type.startsWith(name.slice(0, -1)) : type === name)),
  );
}
