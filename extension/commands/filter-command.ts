import * as vscode from 'vscode';
import { filterKinds, NO_FILTER, type FilterKind } from '../runs/filter.ts';
import type { RunsTree } from '../views/runs-tree.ts';

const LABELS: Readonly<Record<FilterKind, () => string>> = {
  all: () => vscode.l10n.t('All states'),
  active: () => vscode.l10n.t('Active'),
  waiting: () => vscode.l10n.t('Waiting for me'),
  succeeded: () => vscode.l10n.t('Succeeded'),
  not_succeeded: () => vscode.l10n.t('Ended without success'),
};

/** One box for both: what is typed has to occur in the run, and a line below chooses the states. */
export function filterRuns(tree: RunsTree): void {
  const pick = vscode.window.createQuickPick<vscode.QuickPickItem & { states: FilterKind }>();
  pick.title = vscode.l10n.t('Filter Runs');
  pick.placeholder = vscode.l10n.t('Words in the title, the prompt, the agent or the environment');
  pick.value = tree.filter.text;
  const show = () => {
    // What is typed filters the runs, so it must not filter the lines.
    pick.items = filterKinds.map((kind) => ({
      states: kind,
      label: LABELS[kind](),
      alwaysShow: true,
      ...(tree.filter.kind === kind && { description: '$(check)' }),
    }));
    const active = pick.items.find((item) => item.states === tree.filter.kind);
    if (active) pick.activeItems = [active];
  };
  pick.onDidChangeValue((text) => {
    tree.filter = { ...tree.filter, text };
    show();
  });
  pick.onDidAccept(() => {
    tree.filter = { kind: pick.activeItems[0]?.states ?? 'all', text: pick.value };
    pick.hide();
  });
  pick.onDidHide(() => pick.dispose());
  show();
  pick.show();
}

export function clearFilter(tree: RunsTree): void {
  tree.filter = NO_FILTER;
}
