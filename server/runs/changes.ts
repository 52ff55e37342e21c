import { RunEnd } from './run-end.ts';

/** What the listing step inside the sandbox printed: untrusted text of a fixed form. */
export interface Changes {
  readonly tree: string;
  readonly commit: string;
  readonly files: readonly { readonly path: string; readonly insertions: number; readonly deletions: number }[];
  readonly commits: { id: string; subject: string }[];
}

/**
 * Reads `<tree> <commit>\n`, then `git diff --numstat -z` records (`added TAB deleted TAB path NUL`, `-` for binary
 * files), a line break, and `git log -z --format='%H %s'` records.
 * @throws {RunEnd} when it has another form
 */
export function parseChanges(output: Buffer): Changes {
  const lineEnd = output.indexOf(0x0a);
  const ids = /^([0-9a-f]{40,64}) ([0-9a-f]{40,64})$/.exec(output.subarray(0, Math.max(0, lineEnd)).toString('latin1'));
  if (!ids?.[1] || !ids[2]) throw malformed();
  const records = output
    .subarray(lineEnd + 1)
    .toString('utf8')
    .split('\0');
  const files: Changes['files'][number][] = [];
  let next = records.shift() ?? '';
  for (; !next.startsWith('\n'); next = records.shift() ?? '\n') {
    const match = /^(\d+|-)\t(\d+|-)\t([^]+)$/.exec(next);
    if (!match?.[3]) throw malformed();
    files.push({ path: match[3], insertions: toCount(match[1]), deletions: toCount(match[2]) });
  }
  const commits = [next.slice(1), ...records].filter((record) => record !== '').map(toCommit);
  return { tree: ids[1], commit: ids[2], files, commits };
}

function toCount(text: string | undefined): number {
  return text === undefined || text === '-' ? 0 : Math.min(Number(text), Number.MAX_SAFE_INTEGER);
}

function toCommit(record: string): { id: string; subject: string } {
  const match = /^([0-9a-f]{40,64}) ?([^]*)$/.exec(record);
  if (!match?.[1]) throw malformed();
  return { id: match[1], subject: (match[2] ?? '').slice(0, 500) };
}

function malformed(): RunEnd {
  return RunEnd.failed('result_failed', 'The list of changes that came out of the sandbox is malformed.');
}
