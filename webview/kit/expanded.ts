import { h, type Child } from './dom.ts';

/** Which parts of a page are open or closed by the user's own hand. The latest 500 are remembered. */
export class Expanded {
  readonly #open: Map<string, boolean>;
  readonly #changed: () => void;

  constructor(entries: readonly (readonly [string, boolean])[], changed: () => void) {
    this.#open = new Map(entries);
    this.#changed = changed;
  }

  get entries(): (readonly [string, boolean])[] {
    return [...this.#open].slice(-500);
  }

  isOpen(key: string, otherwise: boolean): boolean {
    return this.#open.get(key) ?? otherwise;
  }

  set(key: string, open: boolean): void {
    this.#open.delete(key);
    this.#open.set(key, open);
    this.#changed();
  }
}

/** Something folded under its summary. Its content is made when it is opened for the first time. */
export function fold(
  expanded: Expanded,
  key: string,
  summary: readonly Child[],
  content: () => Node,
  openAtFirst = false,
): HTMLDetailsElement {
  const open = expanded.isOpen(key, openAtFirst);
  const details = h(
    'details',
    { class: 'fold', open },
    h('summary', { 'data-focus': key }, ...summary),
    open ? content() : null,
  );
  details.addEventListener('toggle', () => {
    if (details.open && details.childElementCount === 1) details.append(content());
    if (details.open !== expanded.isOpen(key, openAtFirst)) expanded.set(key, details.open);
  });
  return details;
}
