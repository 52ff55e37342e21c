import { h, setText, show } from '../../kit/dom.ts';
import { formatCount } from '../../kit/format.ts';
import { debounced } from '../../kit/frame.ts';
import { t } from '../../kit/l10n.ts';
import { dropdown, textField, type Choice } from '../../kit/toolkit.ts';
import { VirtualList } from '../../kit/virtual-list.ts';
import { createFiltered } from '../model/filtered.ts';
import type { TabId } from '../ui-state.ts';
import type { Page, TabView } from './page.ts';

export interface TableOptions<T> {
  readonly page: Page;
  readonly tab: TabId;
  readonly label: string;
  /** For the style: which widths the columns have. */
  readonly className: string;
  readonly columns: readonly { readonly name: string; readonly number?: boolean }[];
  /** Grows; an item is replaced when it changes. */
  readonly source: readonly T[];
  readonly choices: readonly Choice[];
  readonly choice: string;
  readonly choiceLabel: string;
  readonly text: string;
  readonly empty: string;
  readonly keyOf: (item: T) => string;
  readonly cells: (item: T) => Node;
  /** Keeps the filter and says what it lets through. `text` is in lower case. */
  readonly accepts: (choice: string, text: string) => (item: T) => boolean;
  /** Beside the filter. */
  readonly extra?: HTMLElement;
}

export interface FilteredTable<T> extends TabView {
  readonly list: VirtualList<T>;
}

/** A table of anything that a run produces in any number, with a filter by kind and by text. */
export function createFilteredTable<T>(options: TableOptions<T>): FilteredTable<T> {
  const { page, tab, source, columns } = options;
  let { choice, text } = options;
  const filtered = createFiltered(source, options.accepts(choice, text.toLowerCase()));
  const head = h(
    'div',
    { class: 'row head', role: 'row' },
    h(
      'div',
      { class: 'cells' },
      ...columns.map(({ name, number }) => h('span', { role: 'columnheader', class: number && 'number' }, name)),
    ),
  );
  const list = new VirtualList<T>({
    label: options.label,
    role: 'table',
    estimate: 24,
    follows: true,
    keyOf: options.keyOf,
    render: options.cells,
    head,
  });
  list.element.classList.add(options.className);
  const count = h('span', { class: 'dim table-count', role: 'status' });
  const empty = h('p', { class: 'empty' }, options.empty);
  const refilter = (): void => {
    filtered.refilter(options.accepts(choice, text.toLowerCase()));
    another = true;
    page.save();
    page.wake();
  };
  const typed = debounced(150, refilter);
  const bar = h(
    'div',
    { class: 'filter-bar', role: 'search' },
    textField(t('Filter'), text, (value) => ((text = value), typed())),
    dropdown(options.choiceLabel, options.choices, choice, (value) => ((choice = value), refilter())),
    count,
    options.extra,
  );
  let another = true;
  const kept = page.ui.positions[tab];
  if (kept) list.restore(kept);

  return {
    list,
    element: h('div', { class: 'tab' }, bar, h('div', { class: 'stack' }, list.element, empty)),
    update(until) {
      filtered.advance(until);
      const [shown, all] = [filtered.rows.length, source.length];
      setText(count, shown === all ? formatCount(all) : t('{0} of {1}', formatCount(shown), formatCount(all)));
      show(empty, shown === 0 && filtered.done);
      setText(empty, all === 0 ? options.empty : t('Nothing matches the filter.'));
      list.update(filtered.rows, another);
      another = false;
      return !filtered.done;
    },
    keep: () => {
      page.ui.positions[tab] = list.position();
    },
  };
}
