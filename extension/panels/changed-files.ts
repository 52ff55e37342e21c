import type { ChangedFile } from '../../shared/protocol/panel.ts';
import type { FilePatch } from '../diff/file-patch.ts';

/** The files of a patch as the panel lists them. */
export function changedFiles(files: readonly FilePatch[]): ChangedFile[] {
  return files.map(({ path, previousPath, status, binary, insertions, deletions }) => ({
    path,
    ...(previousPath !== undefined && { previousPath }),
    status,
    insertions: binary ? null : insertions,
    deletions: binary ? null : deletions,
  }));
}
