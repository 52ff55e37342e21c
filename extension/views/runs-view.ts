import * as vscode from 'vscode';
import type { Sessions } from '../session/sessions.ts';
import { serverName } from '../session/server-url.ts';
import { isFiltering } from '../runs/filter.ts';
import { attention } from '../runs/grouping.ts';
import type { RunStore } from '../runs/run-store.ts';
import { explainError } from '../support/errors.ts';
import type { RunNode, RunsTree } from './runs-tree.ts';

export const RUNS_VIEW = 'caisson.runs';
/** How old the elapsed times of active runs may get while somebody looks at them. */
const TICK_MS = 10_000;

/** The view around the tree: its badge, its message, and the context keys that its welcome content depends on. */
export function createRunsView(tree: RunsTree, store: RunStore, sessions: Sessions): vscode.Disposable {
  const view = vscode.window.createTreeView<RunNode>(RUNS_VIEW, { treeDataProvider: tree, showCollapseAll: false });
  const update = () => {
    const { waiting } = attention(store.runs);
    view.badge =
      waiting === 0 ? undefined : { value: waiting, tooltip: vscode.l10n.t('{0} runs wait for you', waiting) };
    view.description = sessionDescription(sessions) ?? '';
    view.message = message(tree, store, sessions) ?? '';
    setContext('caisson.filtered', isFiltering(tree.filter));
    setContext('caisson.loaded', store.status.kind === 'ready' || store.status.kind === 'stale');
  };
  const onState = () => {
    setContext('caisson.sessionKnown', sessions.state.kind !== 'unknown');
    setContext('caisson.signedIn', sessions.state.kind === 'signed_in');
    setContext('caisson.sessionExpired', sessions.state.kind === 'expired');
    update();
  };
  const timer = setInterval(() => {
    if (view.visible && attention(store.runs).active > 0) tree.redraw();
  }, TICK_MS);
  return vscode.Disposable.from(
    view,
    { dispose: () => clearInterval(timer) },
    store.onDidChange(update),
    tree.onDidChangeTreeData(update),
    sessions.onDidChange(onState),
  );
}

function setContext(key: string, value: boolean): void {
  // Nothing depends on when, or whether, the workbench has taken it over.
  void vscode.commands.executeCommand('setContext', key, value);
}

function sessionDescription(sessions: Sessions): string | undefined {
  return 'session' in sessions.state ? serverName(sessions.state.session.server.url) : undefined;
}

function message(tree: RunsTree, store: RunStore, sessions: Sessions): string | undefined {
  const { status } = store;
  if (sessions.state.kind === 'expired' && store.runs.length > 0)
    return vscode.l10n.t('The API key is no longer accepted. These runs are as they were last seen: sign in again.');
  if (status.kind === 'stale' && status.error !== undefined && sessions.state.kind === 'signed_in')
    return explainError(status.error, vscode.l10n);
  const nothingMatches = isFiltering(tree.filter) && store.runs.length > 0 && tree.getChildren().length === 0;
  return nothingMatches ? vscode.l10n.t('No run matches the filter.') : undefined;
}
