import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { commit, entryOf, extend, GENESIS, type Sha256 } from '../../../shared/audit/chain.ts';
import {
  createChainVerifier,
  verifyChain,
  type ChainLink,
  type VerifiableEvent,
} from '../../../shared/audit/verify.ts';
import vector from '../../vectors/audit-chain.json' with { type: 'json' };

const nodeSha256: Sha256 = (message) => createHash('sha256').update(message).digest();

function chainOf(data: readonly unknown[], runId = 'run_a'): VerifiableEvent[] {
  let hash = GENESIS;
  return data.map((item, index) => {
    const event = {
      runId,
      seq: index + 1,
      at: '2026-01-02T03:04:05.678Z',
      type: 'agent.message',
      actor: 'agent',
      data: item,
      nonce: index.toString(16).padStart(32, '0'),
    };
    hash = extend(hash, entryOf(event));
    return { ...event, hash };
  });
}

function withoutData({ data, nonce, ...link }: VerifiableEvent): ChainLink {
  return { ...link, commitment: commit(nonce, data) };
}

const lists = fc.array(fc.jsonValue(), { minLength: 1, maxLength: 8 });

describe('a run chain', () => {
  test('matches the fixed vector, so that no later version reads old chains otherwise', () => {
    // Written out by hand from the formula, with no code of ours.
    const event = vector.events[0]!;
    const sha = (...parts: (Uint8Array | string)[]) => {
      const hash = createHash('sha256');
      for (const part of parts) hash.update(part);
      return hash.digest();
    };
    const commitment = sha(Buffer.from(event.nonce, 'hex'), '{"text":"héllo"}').toString('hex');
    const entry = `{"actor":"agent","at":"${event.at}","commitment":"${commitment}","runId":"${event.runId}","seq":1,"type":"agent.message","v":1}`;
    const head = sha(Uint8Array.of(1), Buffer.alloc(32), sha(Uint8Array.of(0), entry)).toString('hex');
    expect(event.hash).toBe(head);
    expect(verifyChain(vector.events, { expectedHead: vector.head })).toMatchObject({ ok: true, lastSeq: 2 });
  });

  test('an untouched chain verifies, with data, without it, and half and half', () => {
    fc.assert(
      fc.property(lists, fc.infiniteStream(fc.boolean()), (data, keep) => {
        const events = chainOf(data);
        const mixed = events.map((event) => (keep.next().value ? event : withoutData(event)));
        const head = events.at(-1)!.hash;
        const result = verifyChain(mixed, { expectedHead: { seq: events.length, hash: head } });
        expect(result).toEqual({ ok: true, runId: 'run_a', lastSeq: events.length, head });
      }),
    );
  });

  test('no event can be changed, removed, repeated or moved without being noticed', () => {
    const tamper = fc.constantFrom('data', 'nonce', 'at', 'type', 'actor', 'hash', 'drop', 'swap', 'repeat');
    fc.assert(
      fc.property(fc.array(fc.jsonValue(), { minLength: 2, maxLength: 8 }), fc.nat(), tamper, (data, where, how) => {
        const events = chainOf(data);
        const expectedHead = { seq: events.length, hash: events.at(-1)!.hash };
        const at = where % events.length;
        const event = events[at]!;
        if (how === 'drop') events.splice(at, 1);
        else if (how === 'repeat') events.splice(at, 0, event);
        else if (how === 'swap')
          events.splice(at === 0 ? 0 : at - 1, 2, events[Math.max(at, 1)]!, events[Math.max(at, 1) - 1]!);
        else events[at] = { ...event, ...changed(event, how) };
        const result = verifyChain(events, { expectedHead });
        expect(result.ok).toBe(false);
        if (!result.ok && how !== 'drop') expect(result.seq).toBeLessThanOrEqual(at + 2);
      }),
    );
  });

  test('other data with the commitment of the old is noticed', () => {
    const [event] = chainOf([{ allowed: true }]);
    const forged = { ...event!, commitment: withoutData(event!).commitment, data: { allowed: false } };
    expect(verifyChain([forged])).toMatchObject({ ok: false, seq: 1, problem: 'commitment' });
  });

  test.each([
    ['another run', { runId: 'run_b' }, 'run', 2],
    ['a gap', { seq: 3 }, 'gap', 2],
    ['data that is not JSON', { data: Number.NaN }, 'data', 2],
    ['a nonce that is not hex', { nonce: 'zz' }, 'data', 2],
    ['changed data', { data: 'other' }, 'hash', 2],
  ])('names what is wrong: %s', (_name, change, problem, seq) => {
    const events = chainOf(['a', 'b', 'c']);
    events[1] = { ...events[1]!, ...change };
    expect(verifyChain(events)).toMatchObject({ ok: false, problem, seq });
  });

  test('a chain that was rewritten from its start does not fit the head that was seen before', () => {
    const seen = chainOf(['a', 'b']).at(-1)!;
    const rewritten = chainOf(['a', 'x']);
    const expectedHead = { seq: 2, hash: seen.hash };
    expect(verifyChain(rewritten, { expectedHead })).toMatchObject({ ok: false, problem: 'head' });
    expect(verifyChain(rewritten.slice(0, 1), { expectedHead })).toMatchObject({ ok: false, problem: 'head' });
  });

  test('a stream is verified from where the last visit ended, and a failure stays', () => {
    const events = chainOf(['a', 'b', 'c', 'd']);
    const verifier = createChainVerifier({ from: { seq: 2, hash: events[1]!.hash }, runId: 'run_a' });
    expect(verifier.add(events[2]!)).toMatchObject({ ok: true, lastSeq: 3 });
    expect(verifier.add({ ...events[3]!, data: 'forged' })).toMatchObject({ ok: false, seq: 4 });
    expect(verifier.add(events[3]!)).toMatchObject({ ok: false, seq: 4, problem: 'hash' });
    expect(verifier.finish()).toMatchObject({ ok: false });
  });

  test('the portable hash and the platform hash agree', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (data) => {
        expect(commit('00'.repeat(16), data, nodeSha256)).toBe(commit('00'.repeat(16), data));
      }),
    );
  });
});

function changed(event: VerifiableEvent, what: 'data' | 'nonce' | 'at' | 'type' | 'actor' | 'hash') {
  const changes = {
    data: [event.data],
    nonce: 'f'.repeat(32),
    at: '2026-01-02T03:04:05.679Z',
    type: 'agent.thought',
    actor: 'server',
    hash: 'e'.repeat(64),
  };
  return { [what]: changes[what] };
}
