import { h, show } from '../../kit/dom.ts';
import { icon } from '../../kit/icons.ts';
import { t } from '../../kit/l10n.ts';
import { VirtualList } from '../../kit/virtual-list.ts';
import type { Item } from '../model/items.ts';
import { createAnswers } from './approval.ts';
import { createComposer } from './composer.ts';
import { drawItem, type ItemContext } from './items.ts';
import type { Page, TabView } from './page.ts';

export interface TranscriptView extends TabView {
  /** Goes to the question that was asked first and not answered. */
  toApproval(): void;
}

export function createTranscriptView(page: Page, showChanges: () => void): TranscriptView {
  const { store, ui } = page;
  const answers = createAnswers(page, (key) => list.redraw(key));
  const context: ItemContext = { page, answers, showChanges };
  const list = new VirtualList<Item>({
    label: t('Transcript'),
    role: 'feed',
    estimate: 48,
    follows: true,
    keyOf: (item) => item.key,
    render: (item) => drawItem(item, context),
    onMove: () => show(toEnd, !list.atEnd),
  });
  const toEnd = h(
    'button',
    { class: 'to-end', type: 'button', hidden: true, onclick: () => list.toEnd() },
    icon('down'),
    t('Latest'),
  );
  const composer = createComposer(page);
  const empty = h('p', { class: 'empty' }, t('Waiting for the first event.'));
  const element = h(
    'div',
    { class: 'tab' },
    h('div', { class: 'stack' }, list.element, empty, toEnd),
    composer.element,
  );
  const kept = ui.positions.transcript;
  if (kept) list.restore(kept);

  return {
    element,
    update() {
      show(empty, store.transcript.items.length === 0);
      composer.update();
      list.update(store.transcript.items);
      return false;
    },
    keep: () => {
      ui.positions.transcript = list.position();
    },
    toApproval() {
      const open = store.transcript.items.find((item) => item.kind === 'approval' && !item.resolved);
      if (!open) return;
      list.reveal(open.key);
      list.element.querySelector<HTMLElement>('.is-open [data-focus]')?.focus({ preventScroll: true });
    },
  };
}
