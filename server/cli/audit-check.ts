import { createPublicKey, verify as verifySignature } from 'node:crypto';
import { z } from 'zod';
import { openRunHead, parseNoteKey, type NoteKey, type Verify } from '../../shared/audit/checkpoint.ts';
import { verifyChain } from '../../shared/audit/verify.ts';
import { eventEnvelope } from '../../shared/protocol/events.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { runProof, type RunProof } from '../../shared/protocol/rest.ts';
import { sha256 } from './watch.ts';

/** What `caisson audit export` writes: everything that it takes to check a run without the server. */
export const runExport = z.object({
  version: z.literal(1),
  runId: z.string(),
  exportedAt: z.string(),
  proof: runProof,
  events: z.array(eventEnvelope),
});

type Envelope = z.infer<typeof eventEnvelope>;

export type AuditResult =
  | {
      readonly ok: true;
      readonly runId: string;
      readonly events: number;
      readonly head: string;
      /** Absent while the run goes on: only the end is signed. */
      readonly signedBy: string | undefined;
      /** Whether the key was given by the user; else it came with the record that it vouches for. */
      readonly keyPinned: boolean;
    }
  | { readonly ok: false; readonly runId: string; readonly seq: number | undefined; readonly message: string };

/** Ed25519 (RFC 8032) by OpenSSL; JWK is the form of a raw public key that it takes. */
const verifyEd25519: Verify = (publicKey, message, signature) => {
  const x = Buffer.from(publicKey).toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  return verifySignature(null, message, key, signature);
};

/**
 * Checks three things: that the events' data hash, one after the other, to the head; that the proof's commitments do
 * the same; and that the head is signed.
 * @param pinned a verifier key that the user trusts, instead of the one that came with the proof
 */
export function checkRecord(events: readonly Envelope[], proof: RunProof, pinned?: string): AuditResult {
  const { runId, head } = proof;
  const fail = (message: string, seq?: number): AuditResult => ({ ok: false, runId, seq, message });
  const chain = verifyChain(events, { expectedHead: head, runId, sha256 });
  if (!chain.ok) return fail(chain.message, chain.seq);
  const entries = proof.entries.map((entry) => ({ ...entry, runId }));
  const committed = verifyChain(entries, { expectedHead: head, runId, sha256 });
  if (!committed.ok) return fail(`The proof contradicts the events: ${committed.message}`, committed.seq);

  const done = { ok: true, runId, events: events.length, head: head.hash, keyPinned: pinned !== undefined } as const;
  if (proof.note === undefined) return { ...done, signedBy: undefined };
  const key = noteKey(pinned ?? proof.publicKey);
  const opened = openRunHead(proof.note, key, verifyEd25519);
  if (!opened.ok) return fail(opened.message);
  const { head: signed } = opened;
  if (signed.runId !== runId || signed.seq !== head.seq || signed.hash !== head.hash)
    return fail(`The signed head is of run ${signed.runId} at event ${signed.seq}, not of this record.`, head.seq);
  return { ...done, signedBy: pinned ?? proof.publicKey };
}

function noteKey(text: string): NoteKey {
  try {
    return parseNoteKey(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CaissonError('invalid_request', `The public key cannot be used: ${why}`);
  }
}
