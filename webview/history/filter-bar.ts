import type { HistoryToWebview } from '../../shared/protocol/panel.ts';
import { RUN_STATES } from '../../shared/run/state.ts';
import { h } from '../kit/dom.ts';
import { stateName } from '../run/model/summary.ts';
import { t } from '../kit/l10n.ts';
import { dropdown, textField } from '../kit/toolkit.ts';
import type { Filters } from './query.ts';

/** The filters; `changed` is called with all of them whenever one changes. */
export function createFilterBar(
  init: Extract<HistoryToWebview, { type: 'init' }>,
  initial: Filters,
  changed: (filters: Filters) => void,
): HTMLElement {
  let filters = initial;
  const set = (part: Partial<Filters>): void => changed((filters = { ...filters, ...part }));
  const named = (everything: string, list: readonly { id: string; name: string }[]) => [
    { value: '', label: everything },
    ...list.map(({ id, name }) => ({ value: id, label: name })),
  ];
  const states = [
    { value: 'all', label: t('All states') },
    { value: 'active', label: t('Active') },
    { value: 'ended', label: t('Ended') },
    ...RUN_STATES.map((state) => ({ value: state, label: stateName(state) })),
  ];
  const times = [
    { value: 'all', label: t('Any time') },
    { value: 'day', label: t('Last 24 hours') },
    { value: 'week', label: t('Last 7 days') },
    { value: 'month', label: t('Last 30 days') },
  ];
  return h(
    'div',
    { class: 'filter-bar', role: 'search' },
    textField(t('Search in titles and prompts'), filters.text, (text) => set({ text }), { class: 'search' }),
    dropdown(t('State'), states, filters.state, (state) => set({ state })),
    init.members.length > 0 &&
      dropdown(t('Member'), named(t('All members'), init.members), filters.member, (member) => set({ member })),
    dropdown(t('Environment'), named(t('All environments'), init.environments), filters.environment, (environment) =>
      set({ environment }),
    ),
    dropdown(t('Time'), times, filters.since, (since) => set({ since: since as Filters['since'] })),
  );
}
