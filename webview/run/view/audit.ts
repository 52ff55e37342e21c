import { originalEvent, type ClientEvent } from '../../../shared/client/event.ts';
import { eventTypes } from '../../../shared/protocol/events.ts';
import { h, setAttribute } from '../../kit/dom.ts';
import { formatCount, formatTime } from '../../kit/format.ts';
import { icon } from '../../kit/icons.ts';
import { t } from '../../kit/l10n.ts';
import { json, plainOutput, visible } from '../../kit/visible.ts';
import { familyOf, matchesAudit, type AuditFilter } from '../model/audit.ts';
import type { ChainCheck, ChainState } from '../model/chain.ts';
import { summarize } from '../model/summary.ts';
import { createFilteredTable, type FilteredTable } from './filtered-table.ts';
import { cell } from '../../kit/cell.ts';
import { block } from './item-parts.ts';
import type { Page, TabView } from './page.ts';

/** Every event of the log as it is, and whether the log holds together. */
export function createAuditView(page: Page, chain: ChainCheck): TabView {
  const { events } = page.store;
  const badge = h('span', { class: 'chain', role: 'status' });
  const families = [...new Set(eventTypes.map(familyOf))];
  const table: FilteredTable<ClientEvent> = createFilteredTable<ClientEvent>({
    page,
    tab: 'audit',
    label: t('Audit'),
    className: 'audit-table',
    columns: [
      { name: t('Number') },
      { name: t('Time') },
      { name: t('Type') },
      { name: t('Actor') },
      { name: t('Summary') },
    ],
    source: events,
    choices: [
      { value: 'all', label: t('All types') },
      ...families.map((family) => ({ value: family, label: family === 'error' ? family : `${family}.*` })),
    ],
    choiceLabel: t('Type'),
    choice: page.ui.audit.family,
    text: page.ui.audit.text,
    empty: t('There is no event yet.'),
    keyOf: (event) => `e${event.seq}`,
    cells: (event) => cells(event, page, () => table.list.redraw(`e${event.seq}`)),
    accepts: (choice, text) => {
      const filter: AuditFilter = { family: choice, text };
      page.ui.audit = filter;
      return (event) => matchesAudit(event, filter);
    },
    extra: badge,
  });
  let shown = '';
  return {
    ...table,
    update(until) {
      const text = chainText(chain.state, events.length);
      if (text !== shown) {
        shown = text;
        badge.className = `chain ${chain.state.broken ? 'tone-bad' : chain.done ? 'tone-good' : 'dim'}`;
        badge.replaceChildren(icon(chain.state.broken ? 'broken' : 'shield'), text);
        setAttribute(badge, 'title', t('Computed here from the events themselves, not told by the server.'));
      }
      return table.update(until);
    },
  };
}

export function chainText({ verified, broken }: ChainState, all: number): string {
  if (broken) return t('Chain broken at event {0}: {1}', formatCount(broken.seq), broken.message);
  if (verified < all) return t('Chain verified up to event {0} of {1}', formatCount(verified), formatCount(all));
  return t('Chain verified up to event {0}', formatCount(verified));
}

function cells(event: ClientEvent, { expanded }: Page, redraw: () => void): DocumentFragment {
  const key = `audit-${event.seq}`;
  const open = expanded.isOpen(key, false);
  const { type, actor, at, seq } = originalEvent(event);
  const toggle = (): void => {
    expanded.set(key, !open);
    redraw();
  };
  const number = h(
    'button',
    { class: 'disclosure', type: 'button', 'aria-expanded': String(open), 'data-focus': key, onclick: toggle },
    icon('play', open ? 'turned' : ''),
    String(seq),
  );
  const fragment = document.createDocumentFragment();
  fragment.append(
    h(
      'div',
      { class: 'cells', role: 'presentation' },
      cell(number),
      cell(formatTime(at), 'dim'),
      cell(visible(type), 'mono'),
      cell(actor, 'dim'),
      cell(plainOutput(summarize(event))),
    ),
  );
  if (open) fragment.append(h('div', { role: 'cell' }, block(json(originalEvent(event)), t('Event {0}', seq))));
  return fragment;
}
