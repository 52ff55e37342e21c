/** A deadline whose clock can be stopped: pauses do not count against a run. Times in milliseconds. */
export class TimeLimit {
  readonly #onReached: () => void;
  #remaining: number;
  #startedAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #spent = 0;

  constructor(ms: number, onReached: () => void) {
    this.#remaining = ms;
    this.#onReached = onReached;
  }

  start(): void {
    if (this.#timer) return;
    this.#startedAt = performance.now();
    this.#timer = setTimeout(() => this.#onReached(), Math.max(0, this.#remaining));
  }

  stop(): void {
    if (!this.#timer) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const elapsed = performance.now() - this.#startedAt;
    this.#remaining -= elapsed;
    this.#spent += elapsed;
  }

  /** How long the clock has run so far. */
  get spentMs(): number {
    return Math.round(this.#spent + (this.#timer ? performance.now() - this.#startedAt : 0));
  }
}
