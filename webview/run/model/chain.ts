import { createChainVerifier, type ChainResult } from '../../../shared/audit/verify.ts';
import { originalEvent, type ClientEvent } from '../../../shared/client/event.ts';

/** What the page itself found out about the hash chain of the events that it shows. */
export interface ChainState {
  /** Everything up to here follows from what came before. */
  readonly verified: number;
  readonly broken?: { readonly seq: number; readonly message: string };
}

export interface ChainCheck {
  readonly state: ChainState;
  readonly done: boolean;
  /** Verifies on until `now()` reaches `until`; an event takes about 30 µs. */
  advance(until: number, now?: () => number): void;
}

export function createChainCheck(runId: string, events: readonly ClientEvent[]): ChainCheck {
  const verifier = createChainVerifier({ runId });
  let next = 0;
  let result: ChainResult = verifier.finish();
  let verified = 0;
  return {
    get state() {
      return result.ok ? { verified } : { verified, broken: { seq: result.seq, message: result.message } };
    },
    get done() {
      return !result.ok || next >= events.length;
    },
    advance(until, now = () => performance.now()) {
      while (result.ok && next < events.length) {
        result = verifier.add(originalEvent(events[next++]!));
        if (result.ok) verified = result.lastSeq;
        if (now() >= until) return;
      }
    },
  };
}
