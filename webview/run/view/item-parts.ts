import { h, type Child } from '../../kit/dom.ts';
import { formatTime } from '../../kit/format.ts';
import { icon, type IconName } from '../../kit/icons.ts';
import { plainOutput } from '../../kit/visible.ts';
import type { Tone } from '../model/items.ts';

/** The frame that all items of a transcript share: a symbol beside the content. */
export function itemFrame(
  kind: string,
  symbol: IconName,
  at: string,
  { tone, label }: { tone?: Tone | undefined; label?: string },
  ...content: readonly Child[]
): HTMLElement {
  return h(
    'div',
    { class: `item item-${kind}${tone ? ` tone-${tone}` : ''}` },
    h('div', { class: 'item-mark', title: formatTime(at) }, icon(symbol)),
    h('div', { class: 'item-body' }, label === undefined ? null : h('div', { class: 'item-label' }, label), ...content),
  );
}

/** Text with a fixed width that scrolls by itself and by keyboard. */
export function block(text: string, label: string): HTMLElement {
  return h('pre', { class: 'block', tabindex: 0, role: 'group', 'aria-label': label }, plainOutput(text));
}
