import * as z from 'zod';
import type { HistoryFromWebview, HistoryToWebview } from '../../shared/protocol/panel.ts';
import { createAnnouncer } from '../kit/announce.ts';
import { h, setText, show } from '../kit/dom.ts';
import { formatCount, formatDuration } from '../kit/format.ts';
import { debounced } from '../kit/frame.ts';
import type { Host } from '../kit/host-port.ts';
import { t } from '../kit/l10n.ts';
import { button } from '../kit/toolkit.ts';
import { toCsv, toJson } from './csv.ts';
import { createFilterBar } from './filter-bar.ts';
import { createLoader } from './loader.ts';
import { filters, noFilters } from './query.ts';
import { columns, sortRows, totalsOf, type Sorting } from './rows.ts';
import { createTable } from './table.ts';

type Message<T extends HistoryToWebview['type']> = Extract<HistoryToWebview, { type: T }>;

export interface HistoryPage {
  readonly element: HTMLElement;
  start(): void;
  rows(message: Message<'rows'>): void;
}

const kept = z.object({
  filters: filters.catch(noFilters),
  sorting: z
    .object({ column: z.enum(columns), descending: z.boolean() })
    .catch({ column: 'created', descending: true }),
});

/** More rows than this are for the server's own export; the page would hold them all. */
const EXPORT_LIMIT = 10_000;

export function createHistoryPage(host: Host<HistoryFromWebview>, init: Message<'init'>): HistoryPage {
  const restored = kept.safeParse(host.loadState());
  const state = restored.success
    ? restored.data
    : { filters: noFilters, sorting: { column: 'created', descending: true } satisfies Sorting as Sorting };
  const names = new Map(init.members.map(({ id, name }) => [id, name]));
  const save = (): void => host.saveState(state);
  const announcer = createAnnouncer();
  const loader = createLoader(host, () => draw());
  const begin = debounced(250, () => void loader.begin(state.filters));

  const table = createTable({
    names,
    sorting: state.sorting,
    sort: (sorting) => {
      state.sorting = sorting;
      save();
      draw();
    },
    open: (runId) => host.post({ type: 'open', runId }),
  });
  const bar = createFilterBar(init, state.filters, (to) => {
    state.filters = to;
    save();
    begin();
  });
  const totals = h('p', { class: 'dim totals', role: 'status' });
  const problem = h('p', { class: 'banner tone-bad', hidden: true });
  const empty = h('p', { class: 'empty' });
  const more = button(t('Load More'), () => void loader.next());
  const csv = button(t('Export CSV'), () => void exportRows('csv'));
  const json = button(t('Export JSON'), () => void exportRows('json'));

  async function exportRows(format: 'csv' | 'json'): Promise<void> {
    csv.disabled = json.disabled = true;
    await loader.all(EXPORT_LIMIT);
    if (loader.problem === undefined) {
      const rows = sortRows(loader.rows, state.sorting, names, Date.now()).slice(0, EXPORT_LIMIT);
      const content = format === 'csv' ? toCsv(rows, names) : toJson(rows);
      const { ok, message } = await host.ask({ type: 'save', fileName: `caisson-runs.${format}`, content });
      if (message !== undefined) announcer.interrupt(message);
      setText(problem, ok ? '' : (message ?? ''));
      show(problem, !ok && message !== undefined);
    }
    csv.disabled = json.disabled = false;
  }

  function draw(): void {
    const now = Date.now();
    const { rows, loading } = loader;
    table.update(sortRows(rows, state.sorting, names, now), state.sorting);
    const sums = totalsOf(rows, now);
    setText(
      totals,
      [
        loader.more
          ? t('{0} runs loaded', formatCount(sums.runs))
          : sums.runs === 1
            ? t('1 run')
            : t('{0} runs', formatCount(sums.runs)),
        t('{0} active', formatCount(sums.active)),
        t('{0} succeeded', formatCount(sums.succeeded)),
        t('{0} failed', formatCount(sums.failed)),
        t('worked for {0}', formatDuration(sums.ms)),
        sums.denied === 1 ? t('1 denied connection') : t('{0} denied connections', formatCount(sums.denied)),
        t('{0} tokens', formatCount(sums.tokens)),
      ].join(' · '),
    );
    setText(empty, loading ? t('Loading…') : t('No run matches.'));
    show(empty, rows.length === 0 && loader.problem === undefined);
    show(more, loader.more);
    more.disabled = loading;
    setText(problem, loader.problem ?? '');
    show(problem, loader.problem !== undefined);
  }

  return {
    element: h(
      'main',
      { class: 'history' },
      announcer.element,
      h('header', null, h('h1', null, t('Run History')), h('div', { class: 'buttons' }, csv, json)),
      bar,
      problem,
      h('div', { class: 'stack' }, table.element, empty),
      h('footer', null, totals, more),
    ),
    start: () => void loader.begin(state.filters),
    rows: (message) => loader.receive(message),
  };
}
