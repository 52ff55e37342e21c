import { commit, extend, GENESIS, portableSha256, type ChainEntry, type Sha256 } from './chain.ts';

/** An event with its data, or an entry whose data is gone, each with the hash that the server claims for it. */
export type ChainLink = ChainEntry & { readonly hash: string };
export interface VerifiableEvent extends Omit<ChainLink, 'commitment'> {
  readonly data: unknown;
  readonly nonce: string;
}

export interface ChainHead {
  readonly seq: number;
  /** Hex. */
  readonly hash: string;
}

/** `run`: of another run; `gap`: a place is missing; `data`: cannot be hashed; the others: does not fit. */
type ChainProblem = 'run' | 'gap' | 'data' | 'commitment' | 'hash' | 'head';

export type ChainResult =
  | { readonly ok: true; readonly runId: string | undefined; readonly lastSeq: number; readonly head: string }
  | { readonly ok: false; readonly seq: number; readonly problem: ChainProblem; readonly message: string };

export interface ChainVerifier {
  /** Checks the next event. After a failure every later call gives that same failure. */
  add(link: VerifiableEvent | ChainLink): ChainResult;
  /** The state so far, compared with the head that a signed note or an earlier visit vouches for. */
  finish(expectedHead?: ChainHead): ChainResult;
}

/**
 * Verifies a run's chain as its events arrive. `from` continues where an earlier verification ended; without it the
 * first event must be number 1.
 */
export function createChainVerifier(
  options: { from?: ChainHead; runId?: string; sha256?: Sha256 } = {},
): ChainVerifier {
  const sha256 = options.sha256 ?? portableSha256;
  let runId = options.runId;
  let head: ChainHead = options.from ?? { seq: 0, hash: GENESIS };
  let failure: (ChainResult & { ok: false }) | undefined;

  const fail = (seq: number, problem: ChainProblem, message: string): ChainResult =>
    (failure = { ok: false, seq, problem, message });
  const state = (): ChainResult => failure ?? { ok: true, runId, lastSeq: head.seq, head: head.hash };

  return {
    add(link) {
      if (failure) return failure;
      runId ??= link.runId;
      if (link.runId !== runId) {
        return fail(link.seq, 'run', `Event ${link.seq} belongs to run ${link.runId}, not to ${runId}.`);
      }
      const expected = head.seq + 1;
      if (link.seq !== expected) {
        return fail(expected, 'gap', `Event ${expected} is missing: after ${head.seq} came ${link.seq}.`);
      }
      let commitment: string;
      let hash: string;
      try {
        // From the data where there is data: other data handed out with the old commitment must be noticed.
        commitment = 'data' in link ? commit(link.nonce, link.data, sha256) : link.commitment;
        hash = extend(head.hash, { ...link, commitment }, sha256);
      } catch (error) {
        return fail(link.seq, 'data', `Event ${link.seq} cannot be hashed: ${String(error)}.`);
      }
      if ('commitment' in link && 'data' in link && link.commitment !== commitment) {
        return fail(link.seq, 'commitment', `The data of event ${link.seq} is not what was committed to.`);
      }
      if (hash !== link.hash) {
        return fail(link.seq, 'hash', `Event ${link.seq} was changed, or one before it: its hash does not follow.`);
      }
      head = { seq: link.seq, hash };
      return state();
    },
    finish(expectedHead) {
      if (failure || !expectedHead) return state();
      if (expectedHead.seq !== head.seq) {
        const message = `The head is at event ${expectedHead.seq}, but the events end at ${head.seq}.`;
        return fail(Math.min(expectedHead.seq, head.seq) + 1, 'head', message);
      }
      if (expectedHead.hash !== head.hash) {
        return fail(head.seq, 'head', `The events up to ${head.seq} are not the ones that the head vouches for.`);
      }
      return state();
    },
  };
}

/** Verifies a whole chain, from its first event. */
export function verifyChain(
  links: Iterable<VerifiableEvent | ChainLink>,
  options: { expectedHead?: ChainHead; runId?: string; sha256?: Sha256 } = {},
): ChainResult {
  const { expectedHead, ...rest } = options;
  const verifier = createChainVerifier(rest);
  for (const link of links) {
    const result = verifier.add(link);
    if (!result.ok) return result;
  }
  return verifier.finish(expectedHead);
}
