import type { RunAction, RunToWebview } from '../../../shared/protocol/panel.ts';
import { h, setChildren, setText, show } from '../../kit/dom.ts';
import { formatClock, formatDuration } from '../../kit/format.ts';
import { icon } from '../../kit/icons.ts';
import { t } from '../../kit/l10n.ts';
import { stateIcon } from '../../kit/state-icon.ts';
import { button } from '../../kit/toolkit.ts';
import { visible } from '../../kit/visible.ts';
import { isFinal } from '../../../shared/run/state.ts';
import { elapsed, possibleActions } from '../model/controls.ts';
import { stateName } from '../model/summary.ts';
import type { Page } from './page.ts';

type Connection = Extract<RunToWebview, { type: 'connection' }>;

const LABELS: Record<RunAction, () => string> = {
  terminal: () => t('Terminal'),
  pause: () => t('Pause'),
  resume: () => t('Resume'),
  finish: () => t('Finish'),
  cancel: () => t('Cancel'),
};
const CONNECTION: Record<Connection['state'], () => string> = {
  connecting: () => t('Connecting…'),
  live: () => '',
  reconnecting: () => t('The connection was lost. Reconnecting…'),
  signed_out: () => t('The server does not accept the key any more. Sign in again to go on.'),
  gone: () => t('This run was deleted, or is not yours to see. What is shown here was received before.'),
};

export interface Header {
  readonly element: HTMLElement;
  update(): void;
  /** Only the clock. */
  tick(): void;
  connection(to: Connection): void;
}

export function createHeader(page: Page, title: string, toApproval: () => void): Header {
  const { store, host } = page;
  const busy = new Set<RunAction>();
  let drawn = '';
  const heading = h('h1', null, visible(title));
  const state = h('span', { class: 'state' });
  const readOnly = h(
    'span',
    { class: 'dim', hidden: true, title: t('It belongs to somebody else, or your key may not steer runs.') },
    t('Read-only'),
  );
  const facts = h('span', { class: 'dim facts' });
  const clock = h('span', { class: 'dim', 'aria-label': t('Elapsed time') });
  const actions = h('div', { class: 'buttons', role: 'toolbar', 'aria-label': t('Actions') });
  const banner = h('p', { class: 'banner', role: 'status', hidden: true });
  const failure = h('p', { class: 'banner tone-bad', hidden: true });

  async function act(action: RunAction): Promise<void> {
    busy.add(action);
    drawActions();
    const { ok, message } = await host.ask({ type: 'act', action });
    busy.delete(action);
    drawActions();
    show(failure, !ok);
    if (ok) return;
    setText(failure, message ?? t('That did not work.'));
    page.announcer.interrupt(failure.textContent ?? '');
  }

  function drawActions(): void {
    const { view } = store;
    const possible = possibleActions(view, page.readOnly);
    const wanted = `${possible.join()} ${[...busy].join()} ${view.pendingApprovals.length}`;
    if (wanted === drawn) return;
    drawn = wanted;
    const focused = actions.contains(document.activeElement)
      ? document.activeElement?.getAttribute('data-focus')
      : null;
    const made = possible.map((action) =>
      button(LABELS[action](), () => void act(action), { disabled: busy.has(action), 'data-focus': action }),
    );
    const waiting = view.pendingApprovals.length;
    const answer = waiting > 0 && !page.readOnly && button(t('Answer ({0})', waiting), toApproval, { primary: true });
    setChildren(actions, answer, ...made);
    (made.find((element) => element.getAttribute('data-focus') === focused) ?? (focused ? made.at(-1) : null))?.focus();
  }

  function tick(): void {
    const { view } = store;
    const ms = elapsed(view, Date.now(), page.clockOffsetMs);
    setText(clock, ms === undefined ? '' : isFinal(view.state) ? formatDuration(ms) : formatClock(ms));
  }

  return {
    element: h(
      'header',
      null,
      h('div', { class: 'header-row' }, h('div', { class: 'header-title' }, heading, actions)),
      h('div', { class: 'header-row meta' }, state, facts, clock, readOnly),
      banner,
      failure,
    ),
    update() {
      const { view } = store;
      if (view.title) setText(heading, visible(view.title));
      const name = view.lastSeq === 0 ? t('Loading…') : stateName(view.state, view.waitingFor);
      if (state.dataset['name'] !== name) {
        state.dataset['name'] = name;
        setChildren(state, stateIcon(view.state), name);
      }
      const { agent, environment, sandboxed } = view;
      setText(facts, agent.name && `${visible(agent.name)} · ${visible(environment.name)}`);
      if (!sandboxed && !facts.nextElementSibling?.classList.contains('unsafe'))
        facts.after(h('span', { class: 'unsafe tone-bad' }, icon('warning'), t('No sandbox')));
      show(readOnly, page.readOnly && view.lastSeq > 0 && !isFinal(view.state));
      drawActions();
      tick();
    },
    tick,
    connection({ state: to, message }) {
      const text = [CONNECTION[to](), message].filter(Boolean).join(' ');
      setText(banner, text);
      banner.classList.toggle('tone-bad', to === 'signed_out' || to === 'gone');
      show(banner, to !== 'live');
    },
  };
}
