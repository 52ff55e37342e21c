/** A queue between a callback that pushes and a loop that awaits. One reader; the writer looks at `size`. */
export class AsyncQueue<T> {
  #items: T[] = [];
  #wake: (() => void) | undefined;
  #end: { readonly error?: Error } | undefined;

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    if (this.#end) return;
    this.#items.push(item);
    this.#wake?.();
  }

  /** What was pushed before is still delivered; then the reader ends, or fails with `error`. */
  end(error?: Error): void {
    this.#end ??= error === undefined ? {} : { error };
    this.#wake?.();
  }

  async *drain(): AsyncGenerator<T, void, undefined> {
    for (;;) {
      // Whole batches are taken at once: shifting a long array for each item would cost its length every time.
      const batch = this.#items;
      if (batch.length > 0) {
        this.#items = [];
        yield* batch;
      } else if (this.#end) {
        if (this.#end.error) throw this.#end.error;
        return;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
      }
    }
  }
}
