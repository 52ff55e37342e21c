import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Collection, Store } from '../store/port.ts';
import type { Vault } from '../vault/vault.ts';

interface RunKeyRecord {
  readonly _id: string;
  /** Absent once the key was destroyed; the record stays, so that no later event makes a new key. */
  readonly wrapped?: string;
  readonly createdAt: string;
  readonly destroyedAt?: string;
}

/** The data keys of runs. Destroying one makes the run's data unreadable for good, wherever copies of it are. */
export interface RunKeys {
  /** @throws {CaissonError} `gone` when the key was destroyed */
  find(runId: string): Promise<Buffer | undefined>;
  /** @throws {CaissonError} `gone` when the key was destroyed */
  findOrCreate(runId: string): Promise<Buffer>;
  destroy(runId: string): Promise<void>;
}

export function createRunKeys(store: Store, vault: Vault, clock: Clock): RunKeys {
  const records: Collection<RunKeyRecord> = store.collection('run_keys');

  const find = async (runId: string): Promise<Buffer | undefined> => {
    const record = await records.findOne({ _id: runId });
    if (!record) return undefined;
    if (record.wrapped === undefined) throw new CaissonError('gone', `The data of run ${runId} was deleted.`);
    return vault.unwrap(record.wrapped, runId);
  };

  return {
    find,
    async findOrCreate(runId) {
      const known = await find(runId);
      if (known) return known;
      const { key, wrapped } = vault.createDataKey(runId);
      await records.insertOne({ _id: runId, wrapped, createdAt: clock.now().toISOString() });
      return key;
    },
    async destroy(runId) {
      const destroyedAt = clock.now().toISOString();
      const { matchedCount } = await records.updateOne(
        { _id: runId },
        { $unset: { wrapped: '' }, $set: { destroyedAt } },
      );
      if (matchedCount === 0) await records.insertOne({ _id: runId, createdAt: destroyedAt, destroyedAt });
    },
  };
}
