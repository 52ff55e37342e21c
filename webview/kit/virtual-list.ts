import { h, setAttribute } from './dom.ts';
import { onNextFrame } from './frame.ts';
import { RowHeights, windowOf } from './row-heights.ts';

export interface VirtualListOptions<T> {
  readonly label: string;
  /** `feed` for articles (WAI-ARIA 1.2, 5.4), `table` for rows with cells. */
  readonly role: 'feed' | 'table';
  /** Pixels of a row that was not measured yet. */
  readonly estimate: number;
  /** Stays the same for as long as the row is the same, also over a reload. */
  readonly keyOf: (item: T) => string;
  readonly render: (item: T) => Node;
  /** Called after the user or the list itself has moved. */
  readonly onMove?: () => void;
  /** A row that stays above the others: the names of a table's columns. */
  readonly head?: HTMLElement;
  /** Whether the list begins at its end and follows what is added there. */
  readonly follows?: boolean;
}

/** Where a list stands, in terms that survive new rows and a reload. `end`: it follows what is added. */
export type Position = { readonly end: true } | { readonly end: false; readonly key: string; readonly offset: number };

interface Mounted<T> {
  readonly element: HTMLElement;
  item: T;
}

/** Rows above and below the visible ones, in pixels, that are kept so that scrolling finds them ready. */
const OVERSCAN = 400;

/**
 * A list that holds elements only for the rows near its viewport. Rows flow normally between two spacers, so they may
 * have any height and change it; the first visible row stays where it is while others are measured. A row is drawn
 * again when its item is another object.
 */
export class VirtualList<T> {
  readonly element: HTMLElement;
  readonly #options: VirtualListOptions<T>;
  readonly #heights: RowHeights;
  readonly #above = h('div', { class: 'spacer', role: 'presentation' });
  readonly #below = h('div', { class: 'spacer', role: 'presentation' });
  readonly #rows = h('div', { class: 'rows', role: 'presentation' });
  readonly #resizes: ResizeObserver;
  readonly #mounted = new Map<string, Mounted<T>>();
  readonly #layoutSoon = onNextFrame(() => this.layout());
  #items: readonly T[] = [];
  #first = 0;
  #atEnd: boolean;
  /** A position from before a reload whose row has not come yet. */
  #wanted: Position | undefined;

  constructor(options: VirtualListOptions<T>) {
    this.#options = options;
    this.#atEnd = options.follows ?? false;
    this.#heights = new RowHeights(options.estimate);
    this.element = h(
      'div',
      { class: 'list', role: options.role, 'aria-label': options.label, tabindex: 0 },
      options.head,
      this.#above,
      this.#rows,
      this.#below,
    );
    this.element.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    for (const type of ['wheel', 'pointerdown', 'keydown'] as const)
      this.element.addEventListener(type, () => (this.#wanted = undefined), { passive: true });
    // Whoever opens something wants to read it, not to be taken to the end by it.
    this.#rows.addEventListener('click', () => (this.#atEnd &&= !this.#overflows()), { capture: true });
    this.#resizes = new ResizeObserver(() => this.#layoutSoon());
    this.#resizes.observe(this.element);
  }

  get atEnd(): boolean {
    return this.#atEnd;
  }

  get mountedCount(): number {
    return this.#mounted.size;
  }

  /** Shows these items. `another` when they are not the former ones with more at the end: after filtering, say. */
  update(items: readonly T[], another = false): void {
    if (another) this.#heights.clear();
    this.#items = items;
    this.layout();
  }

  layout(): void {
    if (this.element.clientHeight === 0) return; // Hidden: nothing can be measured, and nobody looks.
    this.#heights.resize(this.#items.length);
    this.#seekWanted();
    const anchor = this.#anchor();
    // Measuring rows may bring others into view, whose heights are estimates again. It settles within two rounds; the
    // bound is for a row that changes its height whenever it is drawn.
    for (let round = 0; round < 4; round++) {
      this.#draw();
      const changed = this.#measure();
      this.#hold(anchor);
      if (!changed) break;
    }
    this.#options.onMove?.();
  }

  /** Draws a row again although its item is the same: something else that it shows has changed. */
  redraw(key: string): void {
    const row = this.#mounted.get(key);
    if (row) redraw(row.element, this.#options.render(row.item));
    this.layout();
  }

  /** Draws every row again. */
  redrawAll(): void {
    for (const row of this.#mounted.values()) redraw(row.element, this.#options.render(row.item));
    this.layout();
  }

  position(): Position {
    if (this.#wanted) return this.#wanted;
    const item = this.#items[this.#anchor().index];
    if (this.#atEnd || item === undefined) return { end: true };
    return { end: false, key: this.#options.keyOf(item), offset: this.#anchor().offset };
  }

  /** Goes to a position, as soon as its row is there. */
  restore(position: Position): void {
    this.#atEnd = position.end;
    this.#wanted = position.end ? undefined : position;
    this.layout();
  }

  toEnd(): void {
    this.restore({ end: true });
  }

  reveal(key: string): void {
    this.restore({ end: false, key, offset: 0 });
  }

  #scrolled(): void {
    const { scrollTop, clientHeight, scrollHeight } = this.element;
    if (clientHeight === 0) return;
    this.#atEnd = (this.#options.follows ?? false) && scrollTop + clientHeight >= scrollHeight - 4;
    this.#layoutSoon();
  }

  #overflows(): boolean {
    return this.element.scrollHeight > this.element.clientHeight;
  }

  #seekWanted(): void {
    const wanted = this.#wanted;
    if (!wanted || wanted.end) return;
    const index = this.#items.findIndex((item) => this.#options.keyOf(item) === wanted.key);
    if (index < 0) return;
    this.#wanted = undefined;
    this.#spacers(this.#heights.offset(index), this.#heights.offset(this.#items.length));
    this.element.scrollTop = this.#heights.offset(index) + wanted.offset;
  }

  /** The first visible row, and how many of its pixels are above the viewport. */
  #anchor(): { index: number; offset: number } {
    const index = this.#heights.rowAt(this.element.scrollTop);
    return { index, offset: index < 0 ? 0 : this.element.scrollTop - this.#heights.offset(index) };
  }

  #hold({ index, offset }: { index: number; offset: number }): void {
    const top = this.#atEnd ? this.element.scrollHeight : index < 0 ? 0 : this.#heights.offset(index) + offset;
    if (Math.abs(this.element.scrollTop - top) >= 1) this.element.scrollTop = top;
  }

  #draw(): void {
    const { scrollTop, clientHeight } = this.element;
    const top = this.#atEnd ? Math.max(0, this.#heights.offset(this.#items.length) - clientHeight) : scrollTop;
    const shown = windowOf(this.#heights, top, clientHeight, OVERSCAN);
    this.#first = shown.first;
    const wanted = this.#items.slice(shown.first, shown.last + 1);
    const keys = new Set(wanted.map(this.#options.keyOf));
    for (const [key, row] of this.#mounted) if (!keys.has(key)) this.#unmount(key, row);
    let next = this.#rows.firstElementChild;
    for (const [index, item] of wanted.entries()) {
      const row = this.#mount(item);
      setAttribute(row, this.#options.role === 'table' ? 'aria-rowindex' : 'aria-posinset', shown.first + index + 1);
      if (row === next) next = next.nextElementSibling;
      else this.#rows.insertBefore(row, next);
    }
    this.#spacers(shown.above, shown.below);
    setAttribute(this.element, 'aria-rowcount', this.#options.role === 'table' && this.#items.length);
  }

  #spacers(above: number, below: number): void {
    this.#above.style.height = `${above}px`;
    this.#below.style.height = `${below}px`;
  }

  #mount(item: T): HTMLElement {
    const key = this.#options.keyOf(item);
    const known = this.#mounted.get(key);
    if (known?.item === item) return known.element;
    if (known) {
      known.item = item;
      redraw(known.element, this.#options.render(item));
      return known.element;
    }
    const role = this.#options.role === 'table' ? 'row' : 'article';
    const element = h('div', { class: 'row', role, tabindex: role === 'article' ? -1 : undefined });
    element.append(this.#options.render(item));
    this.#mounted.set(key, { element, item });
    this.#resizes.observe(element);
    return element;
  }

  #unmount(key: string, { element }: Mounted<T>): void {
    // Focus in a row that leaves would fall to the body, and the arrow keys would scroll nothing any more.
    if (element.contains(document.activeElement)) this.element.focus({ preventScroll: true });
    this.#resizes.unobserve(element);
    element.remove();
    this.#mounted.delete(key);
  }

  #measure(): boolean {
    let changed = false;
    let index = this.#first;
    for (const row of this.#rows.children) {
      if (this.#heights.measure(index++, row.getBoundingClientRect().height)) changed = true;
    }
    return changed;
  }
}

/** Replaces what a row shows; the control that had the focus has it again, found by its `data-focus`. */
function redraw(row: HTMLElement, content: Node): void {
  const focused = row.contains(document.activeElement) ? document.activeElement : null;
  row.replaceChildren(content);
  const name = focused?.getAttribute('data-focus');
  if (!focused) return;
  const again = name ? row.querySelector<HTMLElement>(`[data-focus="${CSS.escape(name)}"]`) : null;
  (again ?? row).focus({ preventScroll: true });
}
