import { createHash } from 'node:crypto';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Clock } from '../base/clock.ts';
import type { Collection, Store } from '../store/port.ts';

/** A first answer, kept for a day, so that a client which lost it can ask again without a second run being started. */
interface AnswerDoc {
  readonly _id: string;
  readonly request: string;
  readonly status: number;
  readonly body: string;
  readonly expiresAt: string;
}

const KEEP_MS = 24 * 3_600_000;
const FORM = /^[\x21-\x7e]{1,255}$/;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export class Idempotency {
  readonly #answers: Collection<AnswerDoc>;
  readonly #clock: Clock;
  readonly #underWay = new Set<string>();

  private constructor(answers: Collection<AnswerDoc>, clock: Clock) {
    this.#answers = answers;
    this.#clock = clock;
  }

  static async open(store: Store, clock: Clock): Promise<Idempotency> {
    const answers = store.collection<AnswerDoc>('idempotency');
    await answers.createIndex({ expiresAt: 1 });
    return new Idempotency(answers, clock);
  }

  /**
   * Does `work` once for each (API key, header value).
   * @throws {CaissonError} `conflict` while the first request is still under way, or when the same header value comes
   *   with another request
   */
  async once(keyId: string, header: string, request: unknown, work: () => Promise<Answer>): Promise<Answer> {
    if (!FORM.test(header))
      throw new CaissonError('invalid_request', 'Idempotency-Key must be 1 to 255 printable ASCII characters.');
    const id = createHash('sha256').update(`${keyId}\n${header}`).digest('hex');
    const fingerprint = createHash('sha256').update(JSON.stringify(request)).digest('hex');
    if (this.#underWay.has(id))
      throw new CaissonError('conflict', 'A request with this Idempotency-Key is still under way.');
    this.#underWay.add(id);
    try {
      const known = await this.#answers.findOne({ _id: id, expiresAt: { $gt: this.#clock.now().toISOString() } });
      if (known) {
        if (known.request !== fingerprint)
          throw new CaissonError('conflict', 'This Idempotency-Key was used for another request; take a new one.');
        return { status: known.status, body: JSON.parse(known.body) as unknown };
      }
      const answer = await work();
      await this.#answers.deleteOne({ _id: id });
      const expiresAt = new Date(this.#clock.now().getTime() + KEEP_MS).toISOString();
      await this.#answers.insertOne({
        _id: id,
        request: fingerprint,
        status: answer.status,
        body: JSON.stringify(answer.body),
        expiresAt,
      });
      return answer;
    } finally {
      this.#underWay.delete(id);
    }
  }

  async sweep(): Promise<void> {
    await this.#answers.deleteMany({ expiresAt: { $lte: this.#clock.now().toISOString() } });
  }
}
