import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '../../server/base/logger.ts';
import { createReadinessCheck } from '../../server/readiness.ts';
import { openEmbeddedStore } from '../../server/store/embedded/store.ts';
import type { Store } from '../../server/store/port.ts';

const logger = createLogger('silent');
const answers = { describe: async () => ({ runtime: 'caisson', sandboxed: true, traceSocket: undefined }) };
const silent = { describe: async () => Promise.reject(new Error('connect ENOENT /var/run/docker.sock')) };

let folder: string;
let store: Store;
let now = 0;
const clock = { now: () => new Date(now) };

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'csn-ready-'));
  store = await openEmbeddedStore({ file: join(folder, 'caisson.db'), encryptionKey: '0'.repeat(64) });
  now = Date.UTC(2030, 0, 1);
});
afterEach(async () => {
  await store.close().catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

test('a server is ready when its log takes a write and its engine answers, again and again', async () => {
  const ready = createReadinessCheck({ store, sandboxes: answers, clock, logger });
  expect(await ready()).toEqual({ log: true, engine: true });
  now += 5000;
  expect(await ready()).toEqual({ log: true, engine: true });
});

test('and not when the engine is silent', async () => {
  const ready = createReadinessCheck({ store, sandboxes: silent, clock, logger });
  expect(await ready()).toEqual({ log: true, engine: false });
});

test('nor when nothing can be written, although reading still works', async () => {
  const collection: Store['collection'] = (name) => ({
    ...store.collection(name),
    updateOne: () => Promise.reject(new Error('database or disk is full')),
  });
  const ready = createReadinessCheck({ store: { ...store, collection }, sandboxes: answers, clock, logger });
  expect(await ready()).toEqual({ log: false, engine: true });
});

test('many who ask at once cost one look, and the answer is no older than a second', async () => {
  let looks = 0;
  const counted = { describe: () => ((looks += 1), answers.describe()) };
  const ready = createReadinessCheck({ store, sandboxes: counted, clock, logger });
  await Promise.all(Array.from({ length: 50 }, ready));
  expect(looks).toBe(1);
  now += 1000;
  await ready();
  expect(looks).toBe(2);
});
