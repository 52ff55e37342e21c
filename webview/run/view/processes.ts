import { h } from '../../kit/dom.ts';
import { formatTime } from '../../kit/format.ts';
import { t } from '../../kit/l10n.ts';
import { visible } from '../../kit/visible.ts';
import { matchesProcess, type ProcessFilter, type ProcessRow } from '../model/processes.ts';
import { commandLine, exitText, hostAndPort } from '../model/summary.ts';
import { createFilteredTable } from './filtered-table.ts';
import { cell } from '../../kit/cell.ts';
import type { Page, TabView } from './page.ts';

/** What the kernel of the sandbox saw, whatever the agent says. */
export function createProcessView(page: Page): TabView {
  return createFilteredTable<ProcessRow>({
    page,
    tab: 'processes',
    label: t('Processes'),
    className: 'process-table',
    columns: [
      { name: t('Time') },
      { name: t('PID'), number: true },
      { name: t('Parent'), number: true },
      { name: t('Command or connection') },
      { name: t('Directory') },
      { name: t('End') },
    ],
    source: page.store.processes.rows,
    choices: [
      { value: 'all', label: t('All') },
      { value: 'exec', label: t('Programs') },
      { value: 'connect', label: t('Connections') },
    ],
    choiceLabel: t('Kind'),
    choice: page.ui.processes.kind,
    text: page.ui.processes.text,
    empty: t('The kernel has seen no process yet.'),
    keyOf: (row) => row.key,
    cells,
    accepts: (choice, text) => {
      const filter: ProcessFilter = { kind: choice as ProcessFilter['kind'], text };
      page.ui.processes = filter;
      return (row) => matchesProcess(row, filter);
    },
  });
}

function cells(row: ProcessRow): HTMLElement {
  const command =
    row.kind === 'exec'
      ? visible(commandLine(row.data.argv, row.data.path)) + (row.data.truncated ? ' …' : '')
      : `${visible(row.data.process)} → ${visible(hostAndPort(row.data.address, row.data.port))} (${row.data.family})`;
  const what = cell(command, `mono long command command-${row.kind}`);
  what.style.setProperty('--depth', String(row.depth));
  if (row.kind === 'exec') what.title = visible(`${row.data.path}\n${command}`);
  const exit = row.kind === 'exec' ? row.exit : undefined;
  const failed = exit !== undefined && ((exit.exitCode ?? 0) !== 0 || (exit.signal ?? 0) !== 0);
  return h(
    'div',
    { class: 'cells', role: 'presentation' },
    cell(formatTime(row.at), 'dim'),
    cell(String(row.data.pid), 'number'),
    cell(row.kind === 'exec' && row.data.parentPid !== undefined ? String(row.data.parentPid) : '', 'number dim'),
    what,
    cell(row.kind === 'exec' ? visible(row.data.cwd) : '', 'mono dim long'),
    cell(exit ? exitText(exit) : row.kind === 'connect' ? t('connection') : '', failed ? 'tone-warn' : 'dim'),
  );
}
