import type { FilePatch, HunkLine } from './file-patch.ts';

export type Side = 'before' | 'after';

/**
 * One side of a file as far as its patch tells it: for runs whose base is not on this machine. What lies between the
 * hunks is left out and marked as such, the same on both sides, so that the diff editor shows exactly the patch.
 */
export function excerpt(file: Pick<FilePatch, 'hunks'>, side: Side): string {
  const hidden: HunkLine['kind'] = side === 'before' ? 'added' : 'removed';
  return file.hunks
    .map(({ oldStart, section, lines }) => {
      const heading = `⋯ ${oldStart}${section ? ` ${section}` : ''} ⋯\n`;
      const shown = lines.filter((line) => line.kind !== hidden).map((line) => line.text);
      return heading + shown.join('').replace(/([^\n])$/, '$1\n');
    })
    .join('');
}
