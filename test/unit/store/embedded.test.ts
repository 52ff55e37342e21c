import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openDatabase } from '../../../server/store/embedded/database.ts';
import { openEmbeddedStore } from '../../../server/store/embedded/store.ts';
import { orderOf, whereOf } from '../../../server/store/embedded/filter.ts';
import type { Document, Filter } from '../../../server/store/port.ts';

interface Thing extends Document {
  readonly text?: string;
}

let folder: string;
let file: string;
const key = 'a'.repeat(64);
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caisson-embedded-'));
  file = join(folder, 'data', 'caisson.db');
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

describe('the embedded store', () => {
  test('keeps what it took, after closing and after a crash', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    await store.collection<Thing>('things').insertOne({ _id: 'a', text: 'first' });
    await store.close();
    await store.close();
    const again = await openEmbeddedStore({ file, encryptionKey: key });
    await again.collection<Thing>('things').insertOne({ _id: 'b' });
    // What a crash leaves is the files as they are now, the log of the last writes among them.
    for (const name of await readdir(join(folder, 'data'))) {
      await writeFile(join(folder, name), await readFile(join(folder, 'data', name)));
    }
    await again.close();
    const recovered = await openEmbeddedStore({ file: join(folder, 'caisson.db'), encryptionKey: key });
    expect(await recovered.collection<Thing>('things').countDocuments({})).toBe(2);
    await recovered.close();
  });

  test('has nothing in the clear in any of its files, which only their owner can read', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    const things = store.collection<Thing>('things');
    await things.createIndex({ text: 1 });
    await things.insertMany(Array.from({ length: 2000 }, (_, n) => ({ _id: `id-marker-${n}`, text: 'text-marker' })));
    const names = await readdir(join(folder, 'data'));
    expect(names).toContain('caisson.db-wal');
    for (const name of names) {
      // The lock is a database without content; SQLite makes it, and its journal, as it makes any.
      if (name.includes('.lock')) continue;
      const content = await readFile(join(folder, 'data', name), 'latin1');
      expect(content, name).not.toMatch(/marker|things|SQLite format 3/);
      expect((await stat(join(folder, 'data', name))).mode & 0o777, name).toBe(0o600);
    }
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700);
    await store.close();
  });

  test('takes a full disk as one failure: nothing of the transaction stays, and later ones go on', () => {
    const database = openDatabase(file, key);
    database.execute('CREATE TABLE t (x TEXT)');
    database.execute('PRAGMA max_page_count = 20');
    const insert = (length: number) => () => void database.prepare('INSERT INTO t VALUES (?)').run('x'.repeat(length));
    const fill = () =>
      database.transaction(() => {
        insert(10)();
        insert(500_000)();
      });
    expect(fill).toThrow(/full/);
    expect(database.prepare('SELECT count(*) FROM t').all()).toEqual([0]);
    database.transaction(insert(10));
    expect(database.prepare('SELECT count(*) FROM t').all()).toEqual([1]);
    database.close();
  });

  test('syncs every commit to disk', () => {
    const database = openDatabase(file, key);
    // 2 is FULL (https://sqlite.org/pragma.html#pragma_synchronous).
    expect(database.prepare('PRAGMA synchronous').all()).toEqual([2]);
    expect(database.prepare('PRAGMA journal_mode').all()).toEqual(['wal']);
    database.close();
  });

  test('is refused to a second server, in this process and in another, until the first one closes', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    await store.collection('things').countDocuments({});
    await expect(openEmbeddedStore({ file, encryptionKey: key })).rejects.toThrow(/Another Caisson server/);
    // A copy of the file must not cost the lock (POSIX drops a process's locks with any descriptor it closes).
    await readFile(file);
    const libsql = import.meta.resolve('libsql');
    const other = () =>
      spawnSync(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `const { default: Database } = await import(${JSON.stringify(libsql)});
           new Database(process.argv[1]).exec('BEGIN EXCLUSIVE')`,
          `${file}.lock`,
        ],
        { encoding: 'utf8' },
      );
    expect(other().stderr).toContain('database is locked');
    await store.close();
    expect(other().stderr).toBe('');
    await (await openEmbeddedStore({ file, encryptionKey: key })).close();
  });

  test.each([
    ['another key', async () => key.replace('a', 'b')],
    ['no key', async () => ''],
    [
      'a damaged file',
      async () => {
        await writeFile(file, 'garbage'.repeat(3000));
        return key;
      },
    ],
  ])('does not open with %s, says so, and lets go of the lock', async (_name, prepare) => {
    const first = await openEmbeddedStore({ file, encryptionKey: key });
    await first.collection<Thing>('things').insertOne({ _id: 'a' });
    await first.close();
    const good = await readFile(file);
    const encryptionKey = await prepare();
    await expect(openEmbeddedStore({ file, encryptionKey })).rejects.toThrow(/master key, or it is damaged/);
    await writeFile(file, good);
    const again = await openEmbeddedStore({ file, encryptionKey: key });
    expect(await again.collection<Thing>('things').countDocuments({})).toBe(1);
    await again.close();
  });

  test('cannot be where no folder can be', async () => {
    await writeFile(join(folder, 'data'), '');
    await expect(openEmbeddedStore({ file, encryptionKey: key })).rejects.toThrow(/cannot be written/);
  });

  test('names what is wrong: a conflict, a closed store', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    const things = store.collection<Thing>('things');
    await things.insertOne({ _id: 'a' });
    await expect(things.insertOne({ _id: 'a' })).rejects.toMatchObject({ code: 'conflict' });
    await store.close();
    await expect(things.findOne({})).rejects.toMatchObject({ code: 'unavailable' });
  });

  test.each<[string, Filter]>([
    ['an unknown operator', { text: { $regex: 'x' } as object }],
    ['undefined, which could mean everything', { text: undefined }],
    ['an empty condition', { text: {} }],
    ['a field name that is none', { "text') --": 'x' }],
    ['an order of booleans', { text: { $gt: true } }],
  ])('refuses a filter with %s', async (_name, filter) => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    await expect(store.collection<Thing>('things').findOne(filter)).rejects.toMatchObject({ code: 'internal' });
    expect(() => store.collection('x; DROP')).toThrow(/not a collection/);
    await store.close();
  });

  test('a field named __proto__ is a field', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    const things = store.collection<Thing>('things');
    await things.insertOne({ _id: 'a' });
    await things.updateOne({ _id: 'a' }, { $set: { 'secrets.__proto__': 'x', 'secrets.constructor': 'y' } });
    expect(JSON.stringify(await things.findOne({ _id: 'a' }))).toBe(
      '{"_id":"a","secrets":{"__proto__":"x","constructor":"y"}}',
    );
    await store.close();
  });

  test('reads by an index where there is one', async () => {
    const store = await openEmbeddedStore({ file, encryptionKey: key });
    await store.collection<Thing>('things').createIndex({ 'deep.text': 1, n: 1 });
    await store.close();
    const options = { encryptionCipher: 'aes256cbc', encryptionKey: key } as Database.Options;
    const database = new Database(file, options);
    const where = whereOf({ 'deep.text': 'x', n: { $gt: 3 } });
    const plan = database
      .prepare(`EXPLAIN QUERY PLAN SELECT doc FROM c_things WHERE ${where.text}${orderOf({ n: 1 })}`)
      .all('x', 3);
    database.close();
    expect(JSON.stringify(plan)).toMatch(/SEARCH c_things USING INDEX/);
    expect(JSON.stringify(plan)).not.toMatch(/TEMP B-TREE/);
  });
});
