import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { signRunHead, type RunHead } from '../../shared/audit/checkpoint.ts';
import type { RunProof } from '../../shared/protocol/rest.ts';
import type { RunEventLog } from '../events/event-log.ts';
import type { Collection, Store } from '../store/port.ts';
import type { SigningKey } from '../vault/signing-key.ts';

const headRecord = z.object({ _id: z.string(), seq: z.number(), hash: z.string(), note: z.string() });
type HeadRecord = z.infer<typeof headRecord>;

const PAGE = 1000;

/** What a run can show for itself: its chain without the data, and the head that the server has signed. */
export class RunProofs {
  readonly #heads: Collection<HeadRecord>;
  readonly #log: Pick<RunEventLog, 'head' | 'links'>;
  readonly #signing: SigningKey;

  private constructor(heads: Collection<HeadRecord>, log: Pick<RunEventLog, 'head' | 'links'>, signing: SigningKey) {
    this.#heads = heads;
    this.#log = log;
    this.#signing = signing;
  }

  static async open(options: {
    store: Store;
    log: Pick<RunEventLog, 'head' | 'links'>;
    signing: SigningKey;
  }): Promise<RunProofs> {
    return new RunProofs(options.store.collection<HeadRecord>('run_heads'), options.log, options.signing);
  }

  /**
   * Signs the run's head as it is in the log now, and keeps the note. A head that has grown since is signed anew; the
   * same head keeps its note.
   * @returns the signed note
   */
  async sign(runId: string): Promise<string> {
    const head: RunHead = { runId, ...(await this.#log.head(runId)) };
    const signed = await this.#heads.findOne({ _id: runId });
    if (signed && signed.seq === head.seq && signed.hash === head.hash) return signed.note;
    const note = signRunHead(head, this.#signing.noteKey, this.#signing.sign);
    const { seq, hash } = head;
    if (signed) await this.#heads.updateOne({ _id: runId }, { $set: { seq, hash, note } });
    else await this.#heads.insertOne({ _id: runId, seq, hash, note });
    return note;
  }

  /** Everything that `verifyChain` and `openRunHead` need. The note is there once the run has ended. */
  async of(runId: string): Promise<RunProof> {
    const head = await this.#log.head(runId);
    const entries: RunProof['entries'] = [];
    while (entries.length < head.seq) {
      const page = await this.#log.links(runId, {
        after: entries.length,
        limit: Math.min(PAGE, head.seq - entries.length),
      });
      // Fewer than the head says: the caller's verification will say where the chain ends.
      if (page.length === 0) break;
      for (const { seq, at, type, actor, commitment, hash } of page)
        entries.push({ seq, at, type, actor, commitment, hash });
      await nextTurn();
    }
    const found = await this.#heads.findOne({ _id: runId });
    const record = found === null ? undefined : headRecord.parse(found);
    return {
      runId,
      entries,
      head,
      ...(record === undefined ? {} : { note: record.note }),
      publicKey: this.#signing.verifierKey,
    };
  }
}
