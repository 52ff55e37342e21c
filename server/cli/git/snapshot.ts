import { makeSnapshot, type Snapshot, type SnapshotOptions } from '../../../shared/source/snapshot.ts';
import { sourceHost } from './host.ts';

export type { Snapshot, SnapshotOptions };

/** A git bundle of a folder as it is now; see shared/source/snapshot.ts for what is in it and what is left alone. */
export function snapshot(folder: string, options?: SnapshotOptions): Promise<Snapshot> {
  return makeSnapshot(sourceHost, folder, options);
}
