import { h } from './dom.ts';

/** Tells screen readers what has changed elsewhere on the page (WAI-ARIA 1.2, 6.6.3 live regions). */
export function createAnnouncer(): {
  readonly element: HTMLElement;
  say(text: string): void;
  interrupt(text: string): void;
} {
  const polite = h('div', { 'aria-live': 'polite', role: 'status' });
  const assertive = h('div', { 'aria-live': 'assertive', role: 'alert' });
  return {
    element: h('div', { class: 'announcer' }, polite, assertive),
    say: (text) => (polite.textContent = text),
    interrupt: (text) => (assertive.textContent = text),
  };
}
