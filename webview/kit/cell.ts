import { h } from './dom.ts';

/** A cell of a row. */
export function cell(text: string | Node, className = ''): HTMLElement {
  const title = typeof text === 'string' ? text : undefined;
  return h('span', { role: 'cell', class: `cell ${className}`, title }, text);
}
