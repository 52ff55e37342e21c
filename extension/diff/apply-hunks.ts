import type { FilePatch, Hunk } from './file-patch.ts';

/**
 * Applies a file's hunks to its text, for machines without git: each hunk exactly, at its place or, where lines were
 * added or taken away above it, at the nearest place where its old lines are.
 * @returns undefined where a hunk's old lines are nowhere; then nothing should be written
 */
export function applyHunks(text: string, file: Pick<FilePatch, 'hunks'>): string | undefined {
  // A patch of LF lines also fits a file that was checked out with CRLF throughout.
  const crlf = /\r\n/.test(text) && !/(^|[^\r])\n/.test(text) && !file.hunks.some(hasCarriageReturn);
  const lines = (crlf ? text.replaceAll('\r\n', '\n') : text).match(/[^\n]*\n|[^\n]+$/g) ?? [];
  let shift = 0;
  for (const hunk of file.hunks) {
    const before = hunk.lines.filter((line) => line.kind !== 'added').map((line) => line.text);
    const after = hunk.lines.filter((line) => line.kind !== 'removed').map((line) => line.text);
    // With no old lines, `oldStart` names the line before the place (0 for the beginning).
    const expected = hunk.oldStart - (before.length === 0 ? 0 : 1) + shift;
    const at = nearest(lines, before, expected);
    if (at === undefined) return undefined;
    lines.splice(at, before.length, ...after);
    shift = at - (hunk.oldStart - (before.length === 0 ? 0 : 1)) + after.length - before.length;
  }
  const joined = lines.join('');
  return crlf ? joined.replaceAll('\n', '\r\n') : joined;
}

const hasCarriageReturn = (hunk: Hunk) => hunk.lines.some((line) => line.text.endsWith('\r\n'));

function nearest(lines: readonly string[], wanted: readonly string[], expected: number): number | undefined {
  const fits = (at: number) =>
    at >= 0 && at + wanted.length <= lines.length && wanted.every((line, i) => lines[at + i] === line);
  for (let distance = 0; distance <= lines.length; distance++) {
    if (fits(expected + distance)) return expected + distance;
    if (fits(expected - distance)) return expected - distance;
  }
  return undefined;
}
