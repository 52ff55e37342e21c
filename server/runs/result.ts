import type { Readable } from 'node:stream';
import type { EventData, PatchSummary } from '../../shared/protocol/events.ts';
import { withDeadline } from '../base/lifecycle.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import type { SourceReady } from './source.ts';
import { GIT_ENV } from './source.ts';
import { capture } from './steps.ts';
import { RunEnd } from './run-end.ts';
import { parseChanges, type Changes } from './changes.ts';

/**
 * What the run made: a patch against the base, and a bundle of the run's branch. Both come out of a sandbox whose
 * agent may have been hostile, so they are bounded, never executed and never parsed by git on the server.
 */
export interface RunResult {
  readonly patch: PatchSummary | null;
  readonly commits: EventData<'run.result'>['commits'];
  readonly bundle: EventData<'run.result'>['bundle'];
}

/** Where the bytes go: an encrypted file of the run, say. */
export type BlobSink = (name: 'patch' | 'bundle', content: Readable) => Promise<{ bytes: number; sha256: string }>;

const DEADLINE_MS = 60_000;
const MAX_LIST_BYTES = 8 * 1024 * 1024;

/** Everything is added with an index of our own, so that what the agent staged or hid in its index does not matter. */
const PREPARE = `set -euo pipefail
base=$1 branch=$2
cd /workspace
export GIT_INDEX_FILE=/tmp/caisson-result.index
rm -f "$GIT_INDEX_FILE"
git read-tree HEAD
git add -A
tree=$(git write-tree)
commit=$(git rev-parse HEAD)
[ "$tree" = "$(git rev-parse 'HEAD^{tree}')" ] || commit=$(git commit-tree "$tree" -p HEAD -m 'Uncommitted work of the run')
git update-ref "refs/heads/$branch" "$commit"
printf '%s %s\\n' "$tree" "$commit"
git diff --numstat -z --no-renames --no-ext-diff --no-textconv "$base" "$tree"
printf '\\n'
git log -z -n 100 --format='%H %s' "$base..$commit"
`;

const PATCH =
  'cd /workspace && exec git diff --binary --full-index --no-color --no-renames --no-ext-diff --no-textconv "$1" "$2"';
/** The base is inside the bundle, its parents are not: a base that Caisson made from a dirty workspace exists nowhere else. */
const BUNDLE = 'cd /workspace && exec git bundle create -q - "refs/heads/$2" --not "$1^@"';

/** @throws {RunEnd} or an abort reason when git inside could not say; the run then has no result */
export async function collectResult(
  sandbox: Sandbox,
  source: SourceReady,
  sink: BlobSink,
  signal: AbortSignal,
): Promise<RunResult> {
  const listed = await capture(sandbox, ['bash', '-c', PREPARE, 'result', source.base, source.branch], {
    env: GIT_ENV,
    maxBytes: MAX_LIST_BYTES,
    deadlineMs: DEADLINE_MS,
    signal,
    what: 'Listing the changes',
  });
  if (listed.exitCode !== 0)
    throw RunEnd.failed('result_failed', `git could not list the changes: ${listed.stderr.trim().slice(-300)}`);
  const changes = parseChanges(listed.stdout);
  if (changes.files.length === 0 && changes.commits.length === 0) return { patch: null, commits: [], bundle: null };
  const [patch, bundle] = await Promise.all([
    stream(
      sandbox,
      ['bash', '-c', PATCH, 'patch', source.base, changes.tree],
      (content) => sink('patch', content),
      signal,
    ),
    stream(
      sandbox,
      ['bash', '-c', BUNDLE, 'bundle', source.base, source.branch],
      (content) => sink('bundle', content),
      signal,
    ),
  ]);
  return { patch: summarize(changes, patch), commits: changes.commits, bundle };
}

function summarize(changes: Changes, written: { bytes: number; sha256: string }): PatchSummary {
  return {
    files: changes.files.length,
    insertions: changes.files.reduce((sum, file) => sum + file.insertions, 0),
    deletions: changes.files.reduce((sum, file) => sum + file.deletions, 0),
    ...written,
    paths: changes.files.slice(0, 500).map((file) => file.path),
  };
}

async function stream<T>(
  sandbox: Sandbox,
  argv: readonly string[],
  write: (content: Readable) => Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const process = await sandbox.exec(argv, { env: GIT_ENV, signal });
  process.stdin.end();
  process.stderr.resume();
  const [written, exitCode] = await withDeadline(
    Promise.all([write(process.stdout), process.exit]),
    DEADLINE_MS,
    `Reading the ${argv[3] ?? 'result'}`,
  );
  if (exitCode !== 0)
    throw RunEnd.failed('result_failed', `git ended with ${exitCode} while making the ${argv[3] ?? 'result'}.`);
  return written;
}
