import type { Run } from '../../shared/protocol/rest.ts';
import { h, setChildren } from '../kit/dom.ts';
import { formatClock, formatCount, formatDateTime } from '../kit/format.ts';
import { icon } from '../kit/icons.ts';
import { t } from '../kit/l10n.ts';
import { stateIcon } from '../kit/state-icon.ts';
import { VirtualList } from '../kit/virtual-list.ts';
import { visible } from '../kit/visible.ts';
import { stateName } from '../run/model/summary.ts';
import { cell } from '../kit/cell.ts';
import { changedLines, columns, runMs, tokens, type Column, type Names, type Sorting } from './rows.ts';

export interface TableOptions {
  readonly names: Names;
  readonly sorting: Sorting;
  readonly sort: (by: Sorting) => void;
  readonly open: (runId: string) => void;
}

const HEADINGS: Record<Column, () => string> = {
  state: () => t('State'),
  title: () => t('Title'),
  member: () => t('Member'),
  environment: () => t('Environment'),
  agent: () => t('Agent'),
  created: () => t('Created'),
  time: () => t('Time'),
  denied: () => t('Denied'),
  tokens: () => t('Tokens'),
  changes: () => t('Changes'),
};
const NUMBERS: ReadonlySet<Column> = new Set(['time', 'denied', 'tokens', 'changes']);

/** The runs that were loaded, sorted by a click on a column's name. */
export function createTable({ names, open, sort, sorting }: TableOptions): {
  readonly element: HTMLElement;
  update(rows: readonly Run[], sorting: Sorting): void;
} {
  let sorted = sorting;
  const headings = h('div', { class: 'cells', role: 'presentation' });
  const list = new VirtualList<Run>({
    label: t('Runs'),
    role: 'table',
    estimate: 26,
    keyOf: (run) => run.id,
    render: (run) => cells(run, names, open),
    head: h('div', { class: 'row head', role: 'row' }, headings),
  });
  list.element.classList.add('history-table');

  function heading(column: Column): HTMLElement {
    const active = column === sorted.column;
    const descending = active ? !sorted.descending : NUMBERS.has(column) || column === 'created';
    const direction = active ? (sorted.descending ? 'descending' : 'ascending') : 'none';
    const arrow = active ? icon('down', sorted.descending ? '' : 'upward') : null;
    return h(
      'span',
      { role: 'columnheader', 'aria-sort': direction, class: NUMBERS.has(column) ? 'number' : '' },
      h(
        'button',
        { class: 'disclosure', type: 'button', 'data-focus': column, onclick: () => sort({ column, descending }) },
        HEADINGS[column](),
        arrow,
      ),
    );
  }

  function drawHeadings(): void {
    const focused = headings.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-focus')
      : null;
    setChildren(headings, ...columns.map(heading));
    if (focused) headings.querySelector<HTMLElement>(`[data-focus="${focused}"]`)?.focus();
  }
  drawHeadings();

  return {
    element: list.element,
    update(rows, by) {
      if (by !== sorted) {
        sorted = by;
        drawHeadings();
      }
      list.update(rows, true);
    },
  };
}

function cells(run: Run, names: Names, open: (runId: string) => void): HTMLElement {
  const state = h('span', { class: 'state' }, stateIcon(run.state), stateName(run.state, run.waitingFor));
  if (run.failure) state.title = visible(run.failure.message);
  const title = visible(run.title);
  const link = h(
    'button',
    { class: 'link', type: 'button', 'data-focus': run.id, title, onclick: () => open(run.id) },
    title,
  );
  const used = tokens(run);
  const lines = changedLines(run);
  return h(
    'div',
    { class: 'cells', role: 'presentation' },
    cell(state),
    cell(link),
    cell(visible(names.get(run.createdBy.memberId) ?? run.createdBy.memberId)),
    cell(visible(run.environment.name)),
    cell(visible(run.agent.name)),
    cell(formatDateTime(run.createdAt), 'dim'),
    cell(formatClock(runMs(run, Date.now())), 'number'),
    cell(formatCount(run.egress.denied), run.egress.denied > 0 ? 'number tone-bad' : 'number dim'),
    cell(used === undefined ? '' : formatCount(used), 'number dim'),
    cell(
      lines === undefined
        ? ''
        : `+${formatCount(run.patch?.insertions ?? 0)} −${formatCount(run.patch?.deletions ?? 0)}`,
      'number dim',
    ),
  );
}
