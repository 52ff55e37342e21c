import { CaissonError } from '../../shared/protocol/errors.ts';

/**
 * Which runs may have a sandbox now. Slots are given in the order of asking; a run that is canceled while it waits
 * leaves the queue.
 */
export class Admission {
  readonly #maxConcurrent: number;
  readonly #maxQueued: number;
  readonly #queue: { admit: () => void }[] = [];
  #active = 0;

  constructor(limits: { maxConcurrent: number; maxQueued: number }) {
    this.#maxConcurrent = limits.maxConcurrent;
    this.#maxQueued = limits.maxQueued;
  }

  /** @throws {CaissonError} `unavailable` when the queue is full; asked before a run exists */
  check(): void {
    if (this.#active >= this.#maxConcurrent && this.#queue.length >= this.#maxQueued) {
      throw new CaissonError(
        'unavailable',
        `${this.#active} runs are active and ${this.#queue.length} wait, which is the limit of this server. Try again later.`,
      );
    }
  }

  /** Resolves with the release function when a slot is free; rejects with the signal's reason when that aborts first. */
  async enter(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#active >= this.#maxConcurrent) await this.#wait(signal);
    else this.#active++;
    let released = false;
    return () => {
      if (released) return;
      released = true;
      const next = this.#queue.shift();
      // The slot is handed over, not freed and taken again: nobody can slip in between.
      if (next) next.admit();
      else this.#active--;
    };
  }

  async #wait(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        this.#queue.splice(this.#queue.indexOf(entry), 1);
        reject(signal.reason as Error);
      };
      const entry = {
        admit: () => {
          signal.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(entry);
    });
  }
}
