import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadMasterKey } from '../../../server/vault/master-key.ts';
import { loadSigningKey, verifyEd25519 } from '../../../server/vault/signing-key.ts';
import { createVault } from '../../../server/vault/vault.ts';
import { openRunHead, parseNoteKey, signRunHead } from '../../../shared/audit/checkpoint.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caisson-keys-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('the master key', () => {
  test('is made once, for its owner only, and read from then on', async () => {
    const file = join(folder, 'new', 'master.key');
    const [first, second] = await Promise.all([loadMasterKey({ file }), loadMasterKey({ file })]);
    expect(first).toHaveLength(32);
    expect(second).toEqual(first);
    expect(await loadMasterKey({ file })).toEqual(first);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readdir(join(folder, 'new'))).toEqual(['master.key']);
  });

  test('is refused when other users can read it, when it is a link, and when it is not a key', async () => {
    const file = join(folder, 'master.key');
    await loadMasterKey({ file });
    await symlink(file, join(folder, 'link'));
    await expect(loadMasterKey({ file: join(folder, 'link') })).rejects.toThrow(/regular file/);
    await chmod(file, 0o640);
    await expect(loadMasterKey({ file })).rejects.toThrow(/chmod 600/);
    await writeFile(join(folder, 'short'), 'abc', { mode: 0o600 });
    await expect(loadMasterKey({ file: join(folder, 'short') })).rejects.toThrow(/does not hold a master key/);
  });

  test.each([
    ['hex', (key: Buffer) => key.toString('hex')],
    ['base64', (key: Buffer) => ` ${key.toString('base64')}\n`],
  ])('comes from the environment as %s, and then no file is made', async (_name, encode) => {
    const key = Buffer.from('0123456789abcdef0123456789abcdef');
    const file = join(folder, 'master.key');
    expect(await loadMasterKey({ file, fromEnvironment: encode(key) })).toEqual(key);
    await expect(loadMasterKey({ file, fromEnvironment: 'too short' })).rejects.toThrow(/CAISSON_MASTER_KEY/);
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('the vault', () => {
  const vault = createVault(Buffer.alloc(32, 7));

  test('a data key opens again only under the same master key and for the same run', () => {
    const { key, wrapped } = vault.createDataKey('run_a');
    expect(vault.unwrap(wrapped, 'run_a')).toEqual(key);
    expect(() => vault.unwrap(wrapped, 'run_b')).toThrow(/run_b/);
    expect(() => createVault(Buffer.alloc(32, 8)).unwrap(wrapped, 'run_a')).toThrow(/another key/);
    expect(vault.createDataKey('run_a').key).not.toEqual(key);
  });

  test('a sealed value does not open when it was changed anywhere, cut, or moved', () => {
    const { key } = vault.createDataKey('run_a');
    const sealed = vault.seal(key, Buffer.from('plain'), 'run_a/1');
    expect(sealed.includes('plain')).toBe(false);
    expect(vault.open(key, sealed, 'run_a/1').toString()).toBe('plain');
    for (const at of sealed.keys()) {
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1;
      expect(() => vault.open(key, changed, 'run_a/1')).toThrow(/was changed/);
    }
    expect(() => vault.open(key, sealed.subarray(0, 20), 'run_a/1')).toThrow(/too short/);
    expect(() => vault.open(key, sealed, 'run_a/2')).toThrow(/was changed/);
  });

  test('the database passphrase is neither the master key nor its neighbour', () => {
    expect(vault.databaseKey).not.toBe(Buffer.alloc(32, 7).toString('hex'));
    expect(vault.databaseKey).toMatch(/^[0-9a-f]{64}$/);
    expect(vault.databaseKey).toBe(createVault(Buffer.alloc(32, 7)).databaseKey);
  });
});

describe('the signing key', () => {
  const vault = createVault(Buffer.alloc(32, 7));

  test('is made once, sealed on disk, and signs heads that its verifier key opens', async () => {
    const file = join(folder, 'signing.key');
    const made = await loadSigningKey({ file, name: 'srv_1', vault });
    const again = await loadSigningKey({ file, name: 'srv_1', vault });
    expect(again.verifierKey).toBe(made.verifierKey);
    expect(vault.openOwn(await readFile(file, 'utf8'), 'signing-key')).toHaveLength(48);

    const head = { runId: 'run_a', seq: 3, hash: '0f'.repeat(32) };
    const note = signRunHead(head, made.noteKey, made.sign);
    expect(openRunHead(note, parseNoteKey(again.verifierKey), verifyEd25519)).toEqual({ ok: true, head });
  });

  test('does not open under another master key', async () => {
    const file = join(folder, 'signing.key');
    await loadSigningKey({ file, name: 'srv_1', vault });
    const other = createVault(Buffer.alloc(32, 8));
    await expect(loadSigningKey({ file, name: 'srv_1', vault: other })).rejects.toThrow(/another key/);
  });
});
