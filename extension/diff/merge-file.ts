import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Git } from '../git/run-git.ts';
import type { Patch, Skipped } from './apply-patch.ts';
import type { FilePatch } from './file-patch.ts';
import { writablePath, type Target } from './target.ts';

const EMPTY = Buffer.alloc(0);

/** Merges one file's change into what is there now. `reason` is git's, for a patch that it could not apply. */
export async function mergeFile(
  git: Git,
  target: Target,
  file: FilePatch,
  blob: Patch['blob'],
  reason: string,
): Promise<'applied' | 'conflict' | Skipped['why']> {
  const path = await writablePath(target.top, file.path);
  if (path === undefined) return 'unsafe';
  const ours = await readFile(path).catch(() => undefined);
  if (file.status === 'deleted') return ours === undefined ? 'applied' : 'changed_here';
  if (file.binary) return 'binary';
  if (file.status === 'renamed' || !file.mode.startsWith('100')) return 'refused';
  if (ours === undefined) return 'deleted_here';
  const base = file.oldId === undefined ? EMPTY : await blob(file.oldId);
  const theirs = file.newId === undefined ? undefined : await blob(file.newId);
  if (base === undefined || theirs === undefined) return 'no_base';
  if (ours.equals(theirs)) return 'applied';
  const merged = await merge(git, target.top, { ours, base: likeOurs(base, ours), theirs: likeOurs(theirs, ours) });
  if (!merged) return /binary/i.test(reason) ? 'binary' : 'refused';
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, merged.content);
  if (merged.conflicts === 0) return 'applied';
  if (target.repository)
    await markUnmerged(git, target.top, file, { ours, base: file.oldId === undefined ? undefined : base, theirs });
  return 'conflict';
}

/** A working tree with CRLF line ends keeps them: blobs have LF there (gitattributes(5), text). */
function likeOurs(content: Buffer, ours: Buffer): Buffer {
  const text = ours.toString('latin1');
  if (!text.includes('\r\n') || /(^|[^\r])\n/.test(text) || content.includes('\r\n')) return content;
  return Buffer.from(content.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
}

interface Versions<B> {
  readonly ours: Buffer;
  readonly base: B;
  readonly theirs: Buffer;
}

async function merge(git: Git, cwd: string, { ours, base, theirs }: Versions<Buffer>) {
  const folder = await mkdtemp(join(tmpdir(), 'caisson-merge-'));
  try {
    const names = ['ours', 'base', 'theirs'].map((name) => join(folder, name));
    await Promise.all([ours, base, theirs].map((content, i) => writeFile(names[i]!, content)));
    const labels = ['Workspace', 'Start of the run', 'Run'].flatMap((label) => ['-L', label]);
    const output = await git.attempt(['merge-file', '-p', ...labels, ...names], { cwd });
    // The exit code is the number of conflicts, at most 127; anything beyond is an error (git-merge-file(1)).
    if (output.exitCode < 0 || output.exitCode > 127) return undefined;
    return { content: output.stdout, conflicts: output.exitCode };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Tells the index about the conflict as a merge would have, so that SCM views and merge editors show it. */
async function markUnmerged(
  git: Git,
  cwd: string,
  { path, mode, newId }: FilePatch,
  { ours, base, theirs }: Versions<Buffer | undefined>,
): Promise<void> {
  const store = (content: Buffer, ...how: string[]) =>
    git.text(['hash-object', '-w', ...how, '--stdin'], { cwd, stdin: content });
  const stages = [
    base && `${mode} ${await store(base, '--no-filters')} 1\t${path}\0`,
    `${mode} ${await store(ours, `--path=${path}`)} 2\t${path}\0`,
    `${mode} ${await store(theirs, '--no-filters')} 3\t${path}\0`,
  ];
  const remove = `0 ${'0'.repeat(newId?.length ?? 40)}\t${path}\0`;
  const stdin = Buffer.from(remove + stages.filter(Boolean).join(''));
  await git.text(['update-index', '-z', '--index-info'], { cwd, stdin });
}
