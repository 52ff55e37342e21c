/**
 * The heights of a long list's rows, measured or estimated, as a Fenwick tree (P. Fenwick, «A new data structure for
 * cumulative frequency tables», 1994): adding a row, correcting a height, and finding the row at an offset each take
 * O(log n), so that 100,000 rows cost a scroll event nothing.
 */
export class RowHeights {
  readonly #estimate: number;
  #sums = new Float64Array(1024);
  #heights = new Float64Array(1024);
  #count = 0;

  /** @param estimate the height in pixels of a row that was not measured yet */
  constructor(estimate: number) {
    this.#estimate = estimate;
  }

  get count(): number {
    return this.#count;
  }

  /** Adds rows at the end, or forgets all heights where there are fewer rows than before: it is another list then. */
  resize(count: number): void {
    if (count < this.#count) this.clear();
    if (count >= this.#sums.length) this.#grow(count + 1);
    while (this.#count < count) {
      const at = ++this.#count;
      this.#heights[at] = this.#estimate;
      let sum = this.#estimate;
      for (let step = 1; step < (at & -at); step <<= 1) sum += this.#sums[at - step]!;
      this.#sums[at] = sum;
    }
  }

  clear(): void {
    this.#count = 0;
  }

  height(index: number): number {
    return this.#heights[index + 1] ?? 0;
  }

  /** @returns whether this differs from what was known, by more than the rounding of a zoomed page */
  measure(index: number, height: number): boolean {
    const delta = height - this.#heights[index + 1]!;
    if (Math.abs(delta) < 0.5) return false;
    this.#heights[index + 1] = height;
    for (let at = index + 1; at <= this.#count; at += at & -at) this.#sums[at]! += delta;
    return true;
  }

  /** Pixels above row `index`. With `count`: the height of everything. */
  offset(index: number): number {
    let sum = 0;
    for (let at = Math.min(index, this.#count); at > 0; at -= at & -at) sum += this.#sums[at]!;
    return sum;
  }

  /** The row that covers this offset; the first or the last for an offset outside. -1 where there is none. */
  rowAt(offset: number): number {
    if (this.#count === 0) return -1;
    let at = 0;
    let rest = Math.max(0, offset);
    for (let step = 1 << (31 - Math.clz32(this.#count)); step > 0; step >>= 1) {
      const next = at + step;
      if (next <= this.#count && this.#sums[next]! <= rest) {
        at = next;
        rest -= this.#sums[next]!;
      }
    }
    return Math.min(at, this.#count - 1);
  }

  #grow(size: number): void {
    const larger = (old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> => {
      const made = new Float64Array(Math.max(size, old.length * 2));
      made.set(old);
      return made;
    };
    this.#sums = larger(this.#sums);
    this.#heights = larger(this.#heights);
  }
}

export interface Window {
  /** The rows to show, `last` included; `last < first` for none. */
  readonly first: number;
  readonly last: number;
  /** Pixels of rows that are left out above and below. */
  readonly above: number;
  readonly below: number;
}

/** Which rows a viewport needs, with `overscan` pixels more on each side so that scrolling finds them ready. */
export function windowOf(heights: RowHeights, scrollTop: number, viewport: number, overscan: number): Window {
  if (heights.count === 0) return { first: 0, last: -1, above: 0, below: 0 };
  const first = heights.rowAt(scrollTop - overscan);
  const last = heights.rowAt(scrollTop + viewport + overscan);
  const above = heights.offset(first);
  return { first, last, above, below: heights.offset(heights.count) - heights.offset(last + 1) };
}
