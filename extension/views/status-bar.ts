import * as vscode from 'vscode';
import { attention } from '../runs/grouping.ts';
import type { RunStore } from '../runs/run-store.ts';
import { RUNS_VIEW } from './runs-view.ts';

/** The number of runs that go on; not there when there are none. */
export function createStatusBar(store: RunStore): vscode.Disposable {
  let item: vscode.StatusBarItem | undefined;
  const update = () => {
    const { active, waiting } = store.status.kind === 'ready' ? attention(store.runs) : { active: 0, waiting: 0 };
    if (active === 0) return item?.hide();
    item ??= create();
    item.text = waiting > 0 ? `$(bell-dot) ${waiting}/${active}` : `$(sync~spin) ${active}`;
    item.tooltip =
      waiting > 0
        ? vscode.l10n.t('Caisson: {0} active runs, {1} of them wait for you', active, waiting)
        : vscode.l10n.t('Caisson: {0} active runs', active);
    item.accessibilityInformation = { label: item.tooltip };
    item.show();
  };
  const subscription = store.onDidChange(update);
  return {
    dispose: () => {
      subscription.dispose();
      item?.dispose();
    },
  };
}

function create(): vscode.StatusBarItem {
  const item = vscode.window.createStatusBarItem('caisson.activeRuns', vscode.StatusBarAlignment.Left, 0);
  item.name = vscode.l10n.t('Caisson: Active Runs');
  item.command = `${RUNS_VIEW}.focus`;
  return item;
}
