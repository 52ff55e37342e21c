import { h, setText, show } from '../../kit/dom.ts';
import { t } from '../../kit/l10n.ts';
import { button, textArea } from '../../kit/toolkit.ts';
import { canSend } from '../model/controls.ts';
import type { Page } from './page.ts';

const isMac = /mac/i.test(navigator.platform);

/** The box for follow-up messages. */
export function createComposer(page: Page): { readonly element: HTMLElement; update(): void } {
  const { host, ui, store, announcer } = page;
  let sending = false;
  const area = textArea(t('Write a follow-up'), {
    value: ui.draft,
    rows: 2,
    class: 'composer-text',
    maxlength: 100_000,
  });
  const send = button(t('Send'), () => void submit(), { primary: true });
  const problem = h('p', { class: 'tone-bad', hidden: true });
  const shortcut = isMac ? '⌘⏎' : t('Ctrl+Enter');
  area.setAttribute('placeholder', t('Write a follow-up ({0} sends it)', shortcut));
  area.addEventListener('input', () => {
    ui.draft = area.value;
    page.save();
    update();
  });
  area.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || event.isComposing) return;
    event.preventDefault();
    void submit();
  });

  async function submit(): Promise<void> {
    const text = area.value;
    if (sending || text.trim() === '' || !canSend(store.view, page.readOnly)) return;
    sending = true;
    update();
    const { ok, message = t('The message was not accepted.') } = await host.ask({ type: 'send', text });
    sending = false;
    show(problem, !ok);
    if (ok) {
      ui.draft = area.value = '';
      page.save();
      announcer.say(t('Sent'));
    } else {
      setText(problem, message);
      announcer.interrupt(message);
    }
    update();
    area.focus();
  }

  function update(): void {
    const possible = canSend(store.view, page.readOnly);
    show(element, possible);
    area.disabled = sending;
    send.disabled = sending || area.value.trim() === '';
  }

  const element = h('div', { class: 'composer' }, h('div', { class: 'composer-row' }, area, send), problem);
  return { element, update };
}
