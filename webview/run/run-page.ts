import type { RunFromWebview, RunToWebview } from '../../shared/protocol/panel.ts';
import { isFinal } from '../../shared/run/state.ts';
import { createAnnouncer } from '../kit/announce.ts';
import { h } from '../kit/dom.ts';
import { Expanded } from '../kit/expanded.ts';
import { formatCount } from '../kit/format.ts';
import { debounced, onNextFrame } from '../kit/frame.ts';
import type { Host } from '../kit/host-port.ts';
import { t } from '../kit/l10n.ts';
import { tabs } from '../kit/toolkit.ts';
import { visible } from '../kit/visible.ts';
import { createChainCheck } from './model/chain.ts';
import { stateName } from './model/summary.ts';
import { createRunStore } from './store.ts';
import { restoreUiState, type TabId } from './ui-state.ts';
import { createAuditView } from './view/audit.ts';
import { createChangesView } from './view/changes.ts';
import { createEgressView } from './view/egress.ts';
import { createHeader } from './view/header.ts';
import type { Page, TabView } from './view/page.ts';
import { createProcessView } from './view/processes.ts';
import { createTranscriptView } from './view/transcript.ts';

type Message<T extends RunToWebview['type']> = Extract<RunToWebview, { type: T }>;

export interface RunPage {
  readonly element: HTMLElement;
  /** Asks for the events; called when the page is in the document. */
  start(): void;
  receive(events: readonly unknown[]): void;
  caughtUp(seq: number): void;
  connection(message: Message<'connection'>): void;
  changes(message: Message<'changes'>): void;
}

/** Milliseconds of a frame for taking in events; the rest of the 16 is for drawing. */
const FRAME_BUDGET_MS = 8;
/**
 * While the past of a run is read, what is drawn only shows that it goes on, and nothing else is done: with every frame
 * drawn, 100,000 events took twice as long in a workbench, whose own work shares the thread with the page's.
 */
const READING = { budgetMs: 40, drawEveryMs: 300 };
/** Milliseconds of an idle moment for the hash chain, if the browser does not say how long the moment is. */
const IDLE_BUDGET_MS = 8;

export function createRunPage(host: Host<RunFromWebview>, init: Message<'init'>): RunPage {
  const { runId, server, readOnly, clockOffsetMs, self } = init;
  const ui = restoreUiState(host.loadState(), runId, server);
  const expanded = new Expanded(ui.expanded, () => save());
  const store = createRunStore({
    runId,
    resubscribe: (after) => host.post({ type: 'subscribe', after }),
    problem: (what, error) => host.problem(what, error),
  });
  const saveNow = (): void => {
    views[ui.tab].keep();
    ui.expanded = expanded.entries.map(([key, open]) => [key, open]);
    host.saveState(ui);
  };
  const save = debounced(300, saveNow);
  const wake = onNextFrame(() => frame());
  const drawSoon = debounced(READING.drawEveryMs, wake);
  const announcer = createAnnouncer();
  const page: Page = { host, store, ui, save, wake, expanded, announcer, readOnly, self, clockOffsetMs };
  const chain = createChainCheck(runId, store.events);

  const transcript = createTranscriptView(page, () => select('changes'));
  const changes = createChangesView(page);
  const egress = createEgressView(page);
  const processes = createProcessView(page);
  const audit = createAuditView(page, chain);
  const views: Record<TabId, TabView> = { transcript, changes, egress, processes, audit };
  const header = createHeader(page, init.title, () => {
    select('transcript');
    transcript.toApproval();
  });
  const bar = tabs(
    t('Views of the run'),
    [
      { id: 'transcript', label: t('Transcript'), content: transcript.element },
      { id: 'changes', label: t('Changes'), content: changes.element },
      { id: 'egress', label: t('Egress'), content: egress.element },
      { id: 'processes', label: t('Processes'), content: processes.element },
      { id: 'audit', label: t('Audit'), content: audit.element },
    ],
    ui.tab,
    (id) => show(id as TabId),
  );
  const announce = createAnnouncements(page);
  // Scrolling is something to remember too; it does not bubble, but it can be captured.
  const element = h('main', { class: 'run' }, announcer.element, header.element, bar.element);
  element.addEventListener('scroll', save, { capture: true, passive: true });

  function select(id: TabId): void {
    bar.select(id);
    show(id);
  }

  function show(id: TabId): void {
    if (id === ui.tab) return;
    views[ui.tab].keep();
    ui.tab = id;
    // At once, for a window that is reloaded right now; where the list is scrolled to follows.
    host.saveState(ui);
    save();
    wake();
  }

  let caughtUp = false;
  let changed = false;
  let drawnAt = -Infinity;
  function frame(): void {
    const now = performance.now();
    const until = now + (caughtUp ? FRAME_BUDGET_MS : READING.budgetMs);
    changed = store.advance(until) || changed;
    if (!caughtUp && now - drawnAt < READING.drawEveryMs) return store.waiting > 0 ? wake() : drawSoon();
    drawnAt = now;
    if (changed) {
      changed = false;
      header.update();
      counts();
      announce.update();
      verifySoon();
    }
    const more = views[ui.tab].update(until);
    if (more || store.waiting > 0) wake();
  }

  function counts(): void {
    const { view } = store;
    const { allowed, denied } = view.egress;
    bar.setCount('changes', view.patch ? formatCount(view.patch.files) : '');
    bar.setCount('egress', denied > 0 ? t('{0} denied', formatCount(denied)) : allowed ? formatCount(allowed) : '');
    bar.setCount('processes', view.processes ? formatCount(view.processes) : '');
    bar.setCount('audit', formatCount(view.lastSeq));
  }

  let verifying = false;
  function verifySoon(): void {
    if (verifying || chain.done || !caughtUp) return;
    verifying = true;
    requestIdleCallback(
      (idle) => {
        verifying = false;
        chain.advance(performance.now() + Math.max(IDLE_BUDGET_MS, idle.timeRemaining()));
        if (ui.tab === 'audit' || chain.state.broken) wake();
        verifySoon();
      },
      { timeout: 1000 },
    );
  }

  return {
    element,
    start() {
      header.update();
      setInterval(() => !isFinal(store.view.state) && header.tick(), 1000);
      window.addEventListener('pagehide', saveNow);
      saveNow();
      host.post({ type: 'subscribe', after: store.view.lastSeq });
      wake();
    },
    receive(events) {
      store.receive(events);
      wake();
    },
    caughtUp: () => {
      caughtUp = changed = true;
      announce.begin();
      wake();
    },
    connection: (message) => header.connection(message),
    changes(message) {
      changes.set(message);
      wake();
    },
  };
}

/** What a screen reader hears while the run goes on: its state and its questions, not the past of the log. */
function createAnnouncements({ store, announcer }: Page): { begin(): void; update(): void } {
  let live = false;
  let said = '';
  const asked = new Set<string>();
  return {
    begin: () => (live = true),
    update() {
      const { view } = store;
      const state = stateName(view.state, view.waitingFor);
      if (live && state !== said && view.waitingFor !== 'approval') announcer.say(state);
      said = state;
      for (const { approvalId, title, kind } of view.pendingApprovals) {
        if (asked.has(approvalId)) continue;
        asked.add(approvalId);
        announcer.interrupt(t('Approval needed: {0}', visible(title || kind)));
      }
    },
  };
}
