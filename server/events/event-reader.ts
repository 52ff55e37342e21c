import type { ChainLink } from '../../shared/audit/verify.ts';
import { GENESIS } from '../../shared/audit/chain.ts';
import { eventTypes, type RunEvent } from '../../shared/protocol/events.ts';
import type { Collection } from '../store/port.ts';
import type { Vault } from '../vault/vault.ts';
import { linkOf, openRecord, recordId, type EventRecord, type Place } from './event-record.ts';
import type { RangeQuery } from './ports.ts';
import type { RunKeys } from './run-keys.ts';

/** Reads a run's events from the store, which holds only what is durable. */
export interface EventReader {
  /** @throws {CaissonError} `gone` when the run's data key was destroyed */
  range(runId: string, query: RangeQuery): Promise<readonly RunEvent[]>;
  /** The chain without the data, in order; it can be had for as long as the records exist. */
  links(runId: string, query: { after: number; limit: number }): Promise<readonly ChainLink[]>;
  last(runId: string): Promise<Place>;
}

export function createEventReader(records: Collection<EventRecord>, keys: RunKeys, vault: Vault): EventReader {
  const page = (runId: string, after: number, limit: number): Promise<EventRecord[]> =>
    // Places have no gaps, so the page is a range of ids and nothing needs to be sorted or skipped.
    records
      .find({ _id: { $gt: recordId(runId, after), $lte: recordId(runId, after + limit) } }, { sort: { _id: 1 } })
      .toArray();

  const ofTypes = async (runId: string, query: RangeQuery, types: readonly string[]): Promise<EventRecord[]> => {
    // One walk along the index for each type, each of which stops at the limit: the work does not grow with the run.
    const found = await Promise.all(
      types.map((type) =>
        records.find({ runId, type, seq: { $gt: query.after } }, { sort: { seq: 1 }, limit: query.limit }).toArray(),
      ),
    );
    return found
      .flat()
      .sort((a, b) => a.seq - b.seq)
      .slice(0, query.limit);
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
    async last(runId) {
      const ofRun = { $gt: recordId(runId, 0), $lte: recordId(runId, 9_999_999_999) };
      const [record] = await records.find({ _id: ofRun }, { sort: { _id: -1 }, limit: 1 }).toArray();
      return record ? { seq: record.seq, hash: record.hash, total: record.total } : { seq: 0, hash: GENESIS, total: 0 };
    },
  };
}

/** The types that a query names; `egress.*` names the family. Unknown ones name nothing. */
export function typesOf(wanted: readonly string[]): string[] {
  return eventTypes.filter((type) =>
    wanted.some((name) => (name.endsWith('.*') ? type.startsWith(name.slice(0, -1)) : type === name)),
  );
}
