import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RunProofs } from '../../../server/audit/run-proofs.ts';
import { loadSigningKey, verifyEd25519 } from '../../../server/vault/signing-key.ts';
import { openRunHead, parseNoteKey } from '../../../shared/audit/checkpoint.ts';
import { verifyChain } from '../../../shared/audit/verify.ts';
import { runProof, type RunProof } from '../../../shared/protocol/rest.ts';
import { createBench, says, vault, type Bench } from '../events/support.ts';

const RUN = 'run_0123456789abcdefghjkmnpqrs';
let folder: string;
let bench: Bench;
let proofs: RunProofs;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'caisson-proofs-'));
  bench = await createBench();
  const signing = await loadSigningKey({ file: join(folder, 'audit.key'), name: 'srv_1', vault });
  proofs = await RunProofs.open({ store: bench.store, log: bench.log, signing });
});
afterEach(async () => {
  await bench[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** What anybody can do who has the proof and knows the server's key. */
function check(proof: RunProof) {
  const note = openRunHead(proof.note ?? '', parseNoteKey(proof.publicKey), verifyEd25519);
  const links = proof.entries.map((entry) => ({ ...entry, runId: proof.runId }));
  return { note, chain: verifyChain(links, { expectedHead: note.ok ? note.head : proof.head }) };
}

describe('the proof of a run', () => {
  test('verifies from the chain and the signed head, also when the data is gone', async () => {
    await bench.log.append(
      RUN,
      Array.from({ length: 2500 }, (_, n) => says(String(n))),
    );
    await proofs.sign(RUN);
    await bench.log.destroyKey(RUN);
    const proof = runProof.parse(JSON.parse(JSON.stringify(await proofs.of(RUN))));
    expect(check(proof)).toMatchObject({ note: { ok: true, head: proof.head }, chain: { ok: true, lastSeq: 2500 } });
  });

  test('has no note before the run has ended', async () => {
    await bench.log.append(RUN, [says('1')]);
    const proof = await proofs.of(RUN);
    expect(proof.note).toBeUndefined();
    expect(check(proof).chain).toMatchObject({ ok: true, lastSeq: 1 });
  });

  test('signs a head once, and anew when it has grown', async () => {
    await bench.log.append(RUN, [says('1')]);
    const first = await proofs.sign(RUN);
    expect(await proofs.sign(RUN)).toBe(first);
    await bench.log.append(RUN, [says('2')]);
    expect(await proofs.sign(RUN)).not.toBe(first);
    expect(check(await proofs.of(RUN))).toMatchObject({ note: { ok: true }, chain: { ok: true, lastSeq: 2 } });
  });

  test('does not verify when somebody rewrote the log after the head was signed', async () => {
    await bench.log.append(RUN, [says('1'), says('2'), says('3')]);
    await proofs.sign(RUN);
    bench.database.prepare(`DELETE FROM c_events WHERE _id LIKE '%3'`).run();
    bench.log.release(RUN);
    await bench.log.append(RUN, [says('other')]);
    expect(check(await proofs.of(RUN))).toMatchObject({ note: { ok: true }, chain: { ok: false, problem: 'head' } });
  });
});
