import type { ChangeAction, ChangedFile, RunToWebview } from '../../../shared/protocol/panel.ts';
import { h, setChildren, setText, show } from '../../kit/dom.ts';
import { formatCount } from '../../kit/format.ts';
import { t } from '../../kit/l10n.ts';
import { button } from '../../kit/toolkit.ts';
import { VirtualList } from '../../kit/virtual-list.ts';
import { visible } from '../../kit/visible.ts';
import { isFinal } from '../../../shared/run/state.ts';
import { cell } from '../../kit/cell.ts';
import type { Page, TabView } from './page.ts';

type Changes = Extract<RunToWebview, { type: 'changes' }>;

export interface ChangesView extends TabView {
  set(changes: Changes): void;
}

const LABELS: Record<ChangeAction, () => string> = {
  diff: () => t('Open Diff'),
  apply: () => t('Apply to Workspace'),
  checkout: () => t('Check Out as Branch'),
  save_patch: () => t('Save Patch…'),
};
const STATUS: Record<ChangedFile['status'], { letter: string; label: () => string }> = {
  added: { letter: 'A', label: () => t('added') },
  modified: { letter: 'M', label: () => t('modified') },
  deleted: { letter: 'D', label: () => t('deleted') },
  renamed: { letter: 'R', label: () => t('renamed') },
};

/** The files that the run changed, and what can be done with them. */
export function createChangesView(page: Page): ChangesView {
  let changes: Changes = { type: 'changes', state: 'loading', files: [], actions: [] };
  const busy = new Set<ChangeAction>();
  const list = new VirtualList<ChangedFile>({
    label: t('Changed files'),
    role: 'table',
    estimate: 26,
    keyOf: (file) => file.path,
    render: (file) => cells(file, () => void act('diff', file.path)),
  });
  list.element.classList.add('changes-table');
  const bar = h('div', { class: 'filter-bar', role: 'toolbar', 'aria-label': t('Changes') });
  const note = h('p', { class: 'note tone-warn', hidden: true });
  const empty = h('p', { class: 'empty' });
  const kept = page.ui.positions.changes;
  if (kept) list.restore(kept);

  async function act(action: ChangeAction, path?: string): Promise<void> {
    busy.add(action);
    buttons();
    const outcome = await page.host.ask({ type: 'change', action, ...(path !== undefined && { path }) });
    busy.delete(action);
    buttons();
    if (outcome.message === undefined) return;
    setText(note, outcome.message);
    note.classList.toggle('tone-warn', !outcome.ok);
    show(note, true);
    if (outcome.ok) page.announcer.say(outcome.message);
    else page.announcer.interrupt(outcome.message);
  }

  function buttons(): void {
    const focused = bar.contains(document.activeElement) ? document.activeElement?.getAttribute('data-focus') : null;
    const made = changes.actions.map((action) =>
      button(LABELS[action](), () => void act(action), {
        primary: action === 'diff',
        disabled: busy.has(action),
        'data-focus': action,
      }),
    );
    setChildren(bar, ...made, h('span', { class: 'dim table-count' }, totals(changes.files)));
    made.find((element) => element.getAttribute('data-focus') === focused)?.focus();
    show(bar, changes.actions.length > 0);
  }

  function emptyText(): string {
    if (changes.state === 'failed') return changes.note ?? t('The changes could not be read.');
    if (changes.state === 'loading') return t('Reading the changes…');
    const ended = isFinal(page.store.view.state);
    return ended ? t('The run changed nothing.') : t('The changes are known when the run has ended.');
  }

  return {
    element: h('div', { class: 'tab' }, bar, note, h('div', { class: 'stack' }, list.element, empty)),
    set(to) {
      changes = to;
      setText(note, to.note ?? '');
      note.classList.add('tone-warn');
      show(note, to.note !== undefined && to.state !== 'failed');
      buttons();
      list.update(to.files, true);
    },
    update() {
      show(empty, changes.files.length === 0);
      setText(empty, emptyText());
      list.layout();
      return false;
    },
    keep: () => {
      page.ui.positions.changes = list.position();
    },
  };
}

function totals(files: readonly ChangedFile[]): string {
  const sum = (pick: (file: ChangedFile) => number | null): string =>
    formatCount(files.reduce((total, file) => total + (pick(file) ?? 0), 0));
  const count = files.length === 1 ? t('1 file') : t('{0} files', formatCount(files.length));
  return `${count}, +${sum((file) => file.insertions)} −${sum((file) => file.deletions)}`;
}

function cells(file: ChangedFile, open: () => void): HTMLElement {
  const { letter, label } = STATUS[file.status];
  const name = file.previousPath === undefined ? file.path : `${file.previousPath} → ${file.path}`;
  const status = h('span', { title: label() }, letter, h('span', { class: 'only-heard' }, ` ${label()}`));
  const binary = file.insertions === null && file.deletions === null;
  const link = h('button', { class: 'link', type: 'button', 'data-focus': file.path, onclick: open }, visible(name));
  return h(
    'div',
    { class: 'cells', role: 'presentation' },
    cell(status, `status status-${file.status}`),
    cell(link, 'path'),
    cell(binary ? t('binary') : `+${formatCount(file.insertions ?? 0)}`, binary ? 'number dim' : 'number lines-added'),
    cell(binary ? '' : `−${formatCount(file.deletions ?? 0)}`, 'number lines-deleted'),
  );
}
