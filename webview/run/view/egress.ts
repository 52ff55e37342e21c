import { h } from '../../kit/dom.ts';
import { formatBytes, formatDuration, formatTime } from '../../kit/format.ts';
import { icon } from '../../kit/icons.ts';
import { t } from '../../kit/l10n.ts';
import { visible } from '../../kit/visible.ts';
import { matchesEgress, type EgressFilter, type EgressRow } from '../model/egress.ts';
import { hostAndPort } from '../model/summary.ts';
import { createFilteredTable } from './filtered-table.ts';
import { cell } from '../../kit/cell.ts';
import type { Page, TabView } from './page.ts';

/** What tried to leave the sandbox, and which rule decided. */
export function createEgressView(page: Page): TabView {
  return createFilteredTable<EgressRow>({
    page,
    tab: 'egress',
    label: t('Egress'),
    className: 'egress-table',
    columns: [
      { name: t('Decision') },
      { name: t('Time') },
      { name: t('Destination') },
      { name: t('Via') },
      { name: t('Rule') },
      { name: t('Reason') },
      { name: t('Out / in'), number: true },
      { name: t('Duration'), number: true },
    ],
    source: page.store.egress.rows,
    choices: [
      { value: 'all', label: t('All') },
      { value: 'denied', label: t('Denied') },
      { value: 'allowed', label: t('Allowed') },
    ],
    choiceLabel: t('Decision'),
    choice: page.ui.egress.decision,
    text: page.ui.egress.text,
    empty: t('Nothing has tried to leave the sandbox.'),
    keyOf: (row) => row.key,
    cells,
    accepts: (choice, text) => {
      const filter: EgressFilter = { decision: choice as EgressFilter['decision'], text };
      page.ui.egress = filter;
      return (row) => matchesEgress(row, filter);
    },
  });
}

function cells({ at, decision, data, closed }: EgressRow): HTMLElement {
  const denied = decision === 'denied';
  const path = data.path === undefined ? '' : visible(data.path);
  const destination = `${visible(hostAndPort(data.host, data.port))}${path}`;
  const bytes = closed ? `${formatBytes(closed.sentBytes)} / ${formatBytes(closed.receivedBytes)}` : '';
  const mark = h('span', null, icon(denied ? 'blocked' : 'check'), denied ? t('Denied') : t('Allowed'));
  return h(
    'div',
    { class: 'cells', role: 'presentation' },
    cell(mark, denied ? 'tone-bad decision' : 'tone-good decision'),
    cell(formatTime(at), 'dim'),
    cell(destination, 'mono long'),
    cell(data.method && data.protocol !== 'connect' ? `${data.protocol} ${data.method}` : data.protocol, 'dim'),
    cell(visible(data.rule), 'mono dim long'),
    cell(
      closed?.error ? `${visible(data.reason).replace(/\.$/, '')}; ${visible(closed.error)}` : visible(data.reason),
      'long',
    ),
    cell(bytes, 'number dim'),
    cell(closed ? formatDuration(closed.ms) : denied ? '' : t('open'), 'number dim'),
  );
}
