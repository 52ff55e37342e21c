import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openEmbeddedStore } from '../../server/store/embedded/store.ts';
import type { Document, Filter, Sort, Store } from '../../server/store/port.ts';

/** What the server relies on in every store. A store that passes may take the place of another. */
interface Subject {
  readonly store: Store;
  readonly dispose: () => Promise<void>;
}

const subjects: [string, () => Promise<Subject>][] = [
  [
    'embedded',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'caisson-store-'));
      const store = await openEmbeddedStore({ file: join(folder, 'db'), encryptionKey: 'k' });
      return {
        store,
        dispose: async () => {
          await store.close();
          await rm(folder, { recursive: true });
        },
      };
    },
  ],
];

const mongoUrl = process.env['CAISSON_TEST_MONGODB_URL'];
if (mongoUrl !== undefined) {
  subjects.push([
    'MongoDB',
    async () => {
      // By a variable, since the driver is installed only where this is set.
      const driver = 'mongodb';
      const { MongoClient } = (await import(driver)) as {
        MongoClient: new (url: string) => {
          db(name: string): Omit<Store, 'close'> & { dropDatabase(): Promise<unknown> };
          close(): Promise<void>;
        };
      };
      const client = new MongoClient(mongoUrl);
      const db = client.db(`caisson_test_${randomBytes(6).toString('hex')}`);
      const store: Store = { collection: (name) => db.collection(name), close: () => client.close() };
      return {
        store,
        dispose: async () => {
          await db.dropDatabase();
          await client.close();
        },
      };
    },
  ]);
}

interface Thing extends Document {
  readonly [field: string]: unknown;
}

describe.each(subjects)('the %s store', (_name, open) => {
  let subject: Subject;
  let count = 0;
  const fresh = () => subject.store.collection<Thing>(`things_${++count}`);
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(async () => {
    await subject.dispose();
  });

  test('gives back what was put in, and copies of it', async () => {
    const things = fresh();
    const thing = {
      _id: 'a',
      text: 'ünï "quoted" \u0000 \u{1f600}',
      list: [1, 'x', null],
      deep: { down: { here: true } },
    };
    await things.insertOne(thing);
    expect(await things.findOne({ _id: 'a' })).toEqual(thing);
    const found = (await things.findOne({ _id: 'a' }))!;
    (found['list'] as unknown[]).push('changed');
    expect(await things.findOne({ _id: 'a' })).toEqual(thing);
    expect(await things.findOne({ _id: 'b' })).toBeNull();
  });

  test('keeps names and values that look like SQL or JSON paths as they are', async () => {
    const things = fresh();
    const evil = `'); DROP TABLE c_things; -- "$.x"`;
    await things.insertOne({ _id: evil, name: evil, [evil]: 1 });
    expect(await things.findOne({ name: evil })).toMatchObject({ _id: evil, [evil]: 1 });
    expect(await things.countDocuments({ name: { $in: [evil, '"'] } })).toBe(1);
  });

  const documents: Thing[] = [
    { _id: '1', n: 1, s: 'b', b: true, deep: { x: 'p' } },
    { _id: '2', n: 2.5, s: 'a', b: false, deep: { x: null } },
    { _id: '3', n: null, s: 'B', b: null },
    { _id: '4', n: '1', s: 'ä' },
    { _id: '5', n: -1, deep: { x: 'q' } },
  ];
  test.each<[string, Filter, string]>([
    ['everything', {}, '12345'],
    ['a string', { s: 'a' }, '2'],
    ['a number, not its text and not true', { n: 1 }, '1'],
    ['the text of a number', { n: '1' }, '4'],
    ['true, not 1', { b: true }, '1'],
    ['false, not null and not missing', { b: false }, '2'],
    ['null, which is also what is missing', { b: null }, '345'],
    ['a field inside', { 'deep.x': 'p' }, '1'],
    ['null inside, also where there is nothing to be inside of', { 'deep.x': null }, '234'],
    ['greater numbers, and no texts', { n: { $gt: 1 } }, '2'],
    ['a range of numbers', { n: { $gte: -1, $lt: 2.5 } }, '15'],
    ['texts, by code point, and no numbers', { s: { $lte: 'a' } }, '23'],
    ['greater texts', { s: { $gt: 'a' } }, '14'],
    ['unequal, also where it is missing', { s: { $ne: 'a' } }, '1345'],
    ['unequal to null', { b: { $ne: null } }, '12'],
    ['unequal to true', { b: { $ne: true } }, '2345'],
    ['one of several, of several types', { n: { $in: [1, '1', null] } }, '134'],
    ['one of none', { n: { $in: [] } }, ''],
    ['what exists, null too', { b: { $exists: true } }, '123'],
    ['what does not exist', { b: { $exists: false } }, '45'],
    ['several fields', { n: { $gt: 0 }, b: true }, '1'],
    ['either', { $or: [{ s: 'a' }, { n: -1 }] }, '25'],
    ['both', { $and: [{ n: { $gt: 0 } }, { $or: [{ s: 'a' }, { s: 'ä' }] }] }, '2'],
    ['ids in a range', { _id: { $gt: '2', $lte: '4' } }, '34'],
    ['ids of a list', { _id: { $in: ['1', '5', 'x'] } }, '15'],
  ])('finds %s', async (_what, filter, expected) => {
    const things = fresh();
    await things.insertMany(documents);
    const find = async () =>
      (await things.find(filter, { sort: { _id: 1 } }).toArray()).map((thing) => thing._id).join('');
    expect(await find()).toBe(expected);
    expect(await things.countDocuments(filter)).toBe(expected.length);
    // An index may change how an answer is found, never the answer.
    for (const field of ['n', 's', 'b', 'deep.x']) await things.createIndex({ [field]: 1 });
    expect(await find()).toBe(expected);
  });

  test.each<[string, Sort, number | undefined, string]>([
    ['upwards, nothing first', { n: 1 }, undefined, '3512'],
    ['downwards', { n: -1 }, undefined, '2153'],
    ['by two fields', { b: -1, _id: -1 }, undefined, '1253'],
    ['and stops at the limit', { _id: -1 }, 2, '53'],
  ])('sorts %s', async (_what, sort, limit, expected) => {
    const things = fresh();
    await things.insertMany(documents.filter((document) => document._id !== '4'));
    const found = await things.find({}, { sort, ...(limit === undefined ? {} : { limit }) }).toArray();
    expect(found.map((thing) => thing._id).join('')).toBe(expected);
  });

  test('changes only what an update names', async () => {
    const things = fresh();
    await things.insertOne({ _id: 'a', keep: 1, old: 2, n: 1, deep: { keep: true, old: 1 } });
    const update = {
      $set: { text: 'new', 'deep.new': [1], 'made.on.the.way': null },
      $unset: { old: '', 'deep.old': '', absent: '' } as const,
      $inc: { n: 2, counter: 1 },
    };
    expect(await things.updateOne({ _id: 'a' }, update)).toMatchObject({ matchedCount: 1 });
    expect(await things.findOne({ _id: 'a' })).toEqual({
      _id: 'a',
      keep: 1,
      n: 3,
      counter: 1,
      text: 'new',
      deep: { keep: true, new: [1] },
      made: { on: { the: { way: null } } },
    });
    expect(await things.updateOne({ _id: 'b' }, { $set: { x: 1 } })).toMatchObject({ matchedCount: 0 });
    expect(await things.countDocuments({})).toBe(1);
  });

  test('an update with a condition lets one of many win', async () => {
    const things = fresh();
    await things.insertOne({ _id: 'a', state: 'free' });
    const claims = await Promise.all(
      [1, 2, 3, 4].map((by) => things.updateOne({ _id: 'a', state: 'free' }, { $set: { state: 'taken', by } })),
    );
    expect(claims.map((claim) => claim.matchedCount).sort((a, b) => a - b)).toEqual([0, 0, 0, 1]);
  });

  test('deletes one or all, and says how many', async () => {
    const things = fresh();
    await things.insertMany(documents);
    expect(await things.deleteOne({ b: null })).toMatchObject({ deletedCount: 1 });
    expect(await things.deleteOne({ _id: 'none' })).toMatchObject({ deletedCount: 0 });
    expect(await things.deleteMany({ b: null })).toMatchObject({ deletedCount: 2 });
    expect(await things.countDocuments({})).toBe(2);
  });

  test('refuses a second document with the same _id, and then none of its company is stored', async () => {
    const things = fresh();
    await things.insertOne({ _id: 'a' });
    await expect(things.insertOne({ _id: 'a' })).rejects.toThrow();
    await expect(things.insertMany([{ _id: 'b' }, { _id: 'a' }, { _id: 'c' }])).rejects.toThrow();
    expect(await things.countDocuments({})).toBe(1);
    await things.insertMany([{ _id: 'b' }, { _id: 'c' }]);
    expect(await things.countDocuments({})).toBe(3);
  });

  test('a unique index holds for inserts and updates', async () => {
    const things = fresh();
    await things.createIndex({ org: 1, name: 1 }, { unique: true });
    await things.createIndex({ org: 1, name: 1 }, { unique: true });
    await things.insertOne({ _id: '1', org: 'o', name: 'n' });
    await things.insertOne({ _id: '2', org: 'o', name: 'm' });
    await expect(things.insertOne({ _id: '3', org: 'o', name: 'n' })).rejects.toThrow();
    await expect(things.updateOne({ _id: '2' }, { $set: { name: 'n' } })).rejects.toThrow();
    expect(await things.findOne({ _id: '2' })).toMatchObject({ name: 'm' });
  });
});
