import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { ResultObjects, saveBundle } from '../../../../extension/diff/result-objects.ts';
import { findTarget } from '../../../../extension/diff/target.ts';
import { Git } from '../../../../extension/git/run-git.ts';
import { aRunResult, git } from './workspace.ts';

const program = new Git('git');
let made: ReturnType<typeof aRunResult> | undefined;
afterEach(() => made?.dispose());

/** A second commit on the user's side, so that the bundle builds on something that it does not contain. */
function aResult() {
  made?.dispose();
  made = aRunResult({ 'a.txt': 'one\n' }, { 'a.txt': 'two\n', 'big.bin': Buffer.alloc(2000) });
  return made;
}

describe('both sides of a result', () => {
  test('come from the bundle and from what the repository has, which stays as it is', async () => {
    const { workspace, root, bundle, patch } = aResult();
    const before = readdirSync(join(workspace, '.git'), { recursive: true, encoding: 'utf8' }).toSorted();
    const target = await findTarget(program, workspace);
    const objects = await ResultObjects.open(program, bundle, join(root, 'result.git'), target.objects);
    const file = patch.files.find(({ path }) => path === 'a.txt')!;
    expect(String(await objects?.blob(file.oldId!))).toBe('one\n');
    expect(String(await objects?.blob(file.newId!))).toBe('two\n');
    expect(readdirSync(join(workspace, '.git'), { recursive: true, encoding: 'utf8' }).toSorted()).toEqual(before);
    expect(git(workspace, 'branch', '--list').toString()).toBe('* main\n');
  });

  test('are the same when they were read ahead, and what is missing is missing', async () => {
    const { root, bundle, patch } = aResult();
    const objects = await ResultObjects.open(program, bundle, join(root, 'result.git'), undefined);
    const missing = '0'.repeat(39) + '1';
    const ids = [
      missing,
      ...patch.files.flatMap(({ oldId, newId }) => [oldId, newId].filter((id) => id !== undefined)),
    ];
    const blobs = () => Promise.all(ids.map(async (id) => objects?.blob(id)));
    const before = await blobs();
    await objects?.readAhead(ids);
    expect(await blobs()).toEqual(before);
    expect(before.map((blob) => blob?.length)).toEqual([undefined, 4, 4, 2000]);
    rmSync(join(root, 'result.git'), { recursive: true });
    expect(String(await objects?.blob(ids[1]!))).toBe('one\n');
    expect(await objects?.blob(ids[3]!, 1000)).toBe('too_large');
  });

  test('an enormous file is not read', async () => {
    const { root, bundle, patch } = aResult();
    const objects = await ResultObjects.open(program, bundle, join(root, 'result.git'), undefined);
    const file = patch.files.find(({ path }) => path === 'big.bin')!;
    expect(await objects?.blob(file.newId!, 1000)).toBe('too_large');
    expect(await objects?.blob('0'.repeat(39) + '1')).toBeUndefined();
  });

  test('a base that is not on this machine is said, not guessed', async () => {
    const { root, sandbox } = aResult();
    const bundle = join(root, 'later.bundle');
    // Without `^@`, the base itself is missing as well.
    git(sandbox, 'bundle', 'create', '-q', bundle, 'refs/heads/caisson/work', '--not', 'HEAD^');
    expect(await ResultObjects.open(program, bundle, join(root, 'result.git'), undefined)).toBeUndefined();
  });
});

test('a download that breaks off leaves no bundle', async () => {
  const { root } = aResult();
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new Uint8Array(10));
      controller.error(new Error('cut'));
    },
  });
  await expect(saveBundle(broken, join(root, 'x.bundle'))).rejects.toThrow('cut');
  expect(readdirSync(root).filter((name) => name.startsWith('x.'))).toEqual([]);
  await saveBundle(new Response('whole').body!, join(root, 'x.bundle'));
  expect(readFileSync(join(root, 'x.bundle'), 'utf8')).toBe('whole');
});
