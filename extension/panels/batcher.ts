export interface BatcherOptions<T> {
  /** Resolves when the receiver has taken the batch; the next one waits for that. */
  readonly send: (batch: T[]) => Promise<unknown>;
  readonly maxItems: number;
  /** Milliseconds that the first item of a batch waits for company. */
  readonly maxWaitMs: number;
}

/**
 * Gathers items into batches: one message for each of 100,000 events would keep both sides busy with nothing but
 * messages. There is never more than one batch under way, so a slow receiver gets fuller batches, not more of them.
 */
export class Batcher<T> {
  readonly #options: BatcherOptions<T>;
  #items: T[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #sending: Promise<void> | undefined;
  #closed = false;

  constructor(options: BatcherOptions<T>) {
    this.#options = options;
  }

  add(item: T): void {
    if (this.#closed) return;
    this.#items.push(item);
    if (this.#items.length >= this.#options.maxItems) void this.flush();
    else this.#timer ??= setTimeout(() => void this.flush(), this.#options.maxWaitMs);
  }

  /** Resolves when everything that was added before has been taken. */
  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#sending ??= this.#drain().finally(() => (this.#sending = undefined));
    return this.#sending;
  }

  async #drain(): Promise<void> {
    while (this.#items.length > 0 && !this.#closed) {
      await this.#options.send(this.#items.splice(0, this.#options.maxItems));
    }
  }

  /** Nothing more is sent. */
  close(): void {
    this.#closed = true;
    this.#items = [];
    clearTimeout(this.#timer);
  }
}
