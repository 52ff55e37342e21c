/**
 * Counts connections that were closed unread because the sandbox had too many, and reports them summed up: the first
 * starts a timer, and the report says how many there were until it ran out. So none goes unsaid, and a flood of them
 * is one event every few seconds.
 */
export class Surplus {
  readonly #report: (count: number) => void;
  readonly #everyMs: number;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(everyMs: number, report: (count: number) => void) {
    this.#everyMs = everyMs;
    this.#report = report;
  }

  add(): void {
    this.#count += 1;
    this.#timer ??= setTimeout(() => this.flush(), this.#everyMs);
  }

  /** Reports at once what has not been reported yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const count = this.#count;
    this.#count = 0;
    if (count > 0) this.#report(count);
  }
}
