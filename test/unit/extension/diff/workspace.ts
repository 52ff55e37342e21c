import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parsePatch } from '../../../../extension/diff/file-patch.ts';
import type { Patch } from '../../../../extension/diff/apply-patch.ts';

const IDENTITY = ['-c', 'user.name=Test', '-c', 'user.email=test@example.com'];
export const git = (cwd: string, ...args: string[]) =>
  execFileSync('git', [...IDENTITY, ...args], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
const text = (cwd: string, ...args: string[]) =>
  git(cwd, ...args)
    .toString('utf8')
    .trim();

export type Files = Readonly<Record<string, string | Buffer | null>>;

function write(folder: string, files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    const file = join(folder, path);
    mkdirSync(dirname(file), { recursive: true });
    if (content === null) rmSync(file);
    else writeFileSync(file, content);
  }
}

/** A user's repository, and the result of a run that began with it, made as the server makes it. */
export function aRunResult(base: Files, changes: Files) {
  const root = mkdtempSync(join(tmpdir(), 'caisson-diff-test-'));
  const workspace = join(root, 'workspace');
  mkdirSync(workspace);
  git(workspace, 'init', '-q', '-b', 'main');
  write(workspace, base);
  git(workspace, 'add', '-A');
  git(workspace, 'commit', '-q', '-m', 'base', '--allow-empty');
  const sandbox = join(root, 'sandbox');
  git(root, 'clone', '-q', workspace, sandbox);
  write(sandbox, changes);
  git(sandbox, 'add', '-A');
  git(sandbox, 'commit', '-q', '-m', 'work');
  const diff = ['diff', '--binary', '--full-index', '--no-color', '--no-renames', '--no-ext-diff', '--no-textconv'];
  const bytes = git(sandbox, ...diff, 'HEAD^', 'HEAD');
  const bundle = join(root, 'result.bundle');
  git(sandbox, 'update-ref', 'refs/heads/caisson/work', 'HEAD');
  git(sandbox, 'bundle', 'create', '-q', bundle, 'refs/heads/caisson/work', '--not', 'HEAD~1^@');
  const patch: Patch = {
    bytes,
    files: parsePatch(bytes),
    blob: async (id) => git(sandbox, 'cat-file', 'blob', id),
  };
  return {
    root,
    workspace,
    sandbox,
    bundle,
    patch,
    write: (files: Files) => write(workspace, files),
    read: (path: string) =>
      existsSync(join(workspace, path)) ? readFileSync(join(workspace, path), 'utf8') : undefined,
    status: () => text(workspace, 'status', '--porcelain').split('\n').filter(Boolean),
    dispose: () => rmSync(root, { recursive: true, force: true }),
  };
}
