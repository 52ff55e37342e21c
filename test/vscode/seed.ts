import { createHash, randomBytes } from 'node:crypto';
import { canonicalJson } from '../../shared/audit/canonical-json.ts';
import { commitTo } from '../../shared/audit/chain.ts';
import type { NewEvent } from '../../shared/protocol/events.ts';
import { newId } from '../../server/base/ids.ts';
import { placeEvent, type EventRecord, type PreparedEvent } from '../../server/events/event-record.ts';
import { createRunKeys } from '../../server/events/run-keys.ts';
import type { RunOwner } from '../../server/runs/run-index.ts';
import type { TestServer } from '../support/server.ts';

const BATCH = 500;

/**
 * Writes a run that nobody drove into a server's real log and index: for what only great numbers show. Its events get
 * their place, their hash and their seal like all others.
 */
export async function seedRun(
  { server }: Pick<TestServer, 'server'>,
  owner: RunOwner,
  events: readonly NewEvent[],
  { createdAt = new Date(), environment }: { createdAt?: Date; environment: { id: string; name: string } },
): Promise<string> {
  const { index, log } = server.context;
  const runId = newId('run', createdAt.getTime());
  await index.add(runId, owner, createdAt.toISOString(), environment);
  const saved = index.follow(runId);
  for (let at = 0; at < events.length; at += BATCH) await log.append(runId, events.slice(at, at + BATCH));
  await saved();
  return runId;
}

/**
 * Adds an event of a type that this version does not know, as a later version of the server would have written it:
 * sealed, and in the chain.
 */
export async function addNewerEvent(
  { server }: Pick<TestServer, 'server'>,
  runId: string,
  type: string,
  data: object,
): Promise<void> {
  const { log, store, vault, clock } = server.context;
  const records = store.collection<EventRecord>('events');
  const [last] = await records.find({ runId }, { sort: { seq: -1 }, limit: 1 }).toArray();
  const key = await createRunKeys(store, vault, clock).find(runId);
  if (!last || !key) throw new Error(`${runId} has no events yet`);
  const opening = Buffer.concat([randomBytes(16), Buffer.from(canonicalJson(data))]);
  const commitment = commitTo(opening, (message) => createHash('sha256').update(message).digest());
  const event = { type, actor: 'agent', at: clock.now().toISOString(), data, opening, commitment };
  await records.insertMany([placeEvent(runId, last, event as unknown as PreparedEvent, vault, key).record]);
  log.release(runId);
}

/** Who a key is, as runs are told who has started them. */
export async function ownerOf({ client }: Pick<TestServer, 'client'>): Promise<RunOwner> {
  const { organization, member, key } = await client.me();
  return { organizationId: organization.id, memberId: member.id, keyId: key.id };
}
