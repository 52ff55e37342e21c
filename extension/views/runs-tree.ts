import * as vscode from 'vscode';
import type { Run } from '../../shared/protocol/rest.ts';
import { isFiltering, matches, NO_FILTER, type RunFilter } from '../runs/filter.ts';
import { groupRuns, type GroupName, type RunGroup } from '../runs/grouping.ts';
import { contextWords, runDescription, runTitle, STATE_ICONS, stateLabel } from '../runs/presentation.ts';
import type { RunStore } from '../runs/run-store.ts';
import { runTooltip } from './run-tooltip.ts';

export type RunNode =
  { readonly kind: 'group'; readonly group: RunGroup } | { readonly kind: 'run'; readonly run: Run };

export interface RunsTreeOptions {
  readonly store: RunStore;
  readonly clockOffsetMs: () => number;
  /** Called when the tree is shown for the first time: until then nothing is read from anywhere. */
  readonly onFirstUse: () => void;
}

/** The tree «Runs»: three groups, newest first. It only shows what the store holds. */
export class RunsTree implements vscode.TreeDataProvider<RunNode>, vscode.Disposable {
  readonly #options: RunsTreeOptions;
  readonly #changed = new vscode.EventEmitter<void>();
  readonly #subscription: { dispose(): void };
  #used = false;
  #filter: RunFilter = NO_FILTER;

  readonly onDidChangeTreeData = this.#changed.event;

  constructor(options: RunsTreeOptions) {
    this.#options = options;
    this.#subscription = options.store.onDidChange(() => this.#changed.fire());
  }

  get filter(): RunFilter {
    return this.#filter;
  }

  set filter(filter: RunFilter) {
    this.#filter = filter;
    this.#changed.fire();
  }

  /** Shows the same runs again: their ages and elapsed times have changed. */
  redraw(): void {
    this.#changed.fire();
  }

  getChildren(node?: RunNode): RunNode[] {
    if (!this.#used) {
      this.#used = true;
      this.#options.onFirstUse();
    }
    if (node?.kind === 'run') return [];
    if (node?.kind === 'group') return node.group.runs.map((run) => ({ kind: 'run', run }));
    const shown = this.#options.store.runs.filter((run) => matches(run, this.#filter));
    return groupRuns(shown, new Date(), this.#options.clockOffsetMs()).map((group) => ({ kind: 'group', group }));
  }

  getParent(node: RunNode): RunNode | undefined {
    if (node.kind === 'group') return undefined;
    return this.getChildren().find((parent) => parent.kind === 'group' && parent.group.runs.includes(node.run));
  }

  getTreeItem(node: RunNode): vscode.TreeItem {
    return node.kind === 'group' ? groupItem(node.group, isFiltering(this.#filter)) : this.#runItem(node.run);
  }

  #runItem(run: Run): vscode.TreeItem {
    const now = Date.now() + this.#options.clockOffsetMs();
    const { icon, color } = STATE_ICONS[run.state];
    const item = new vscode.TreeItem(runTitle(run));
    item.id = run.id;
    item.description = runDescription(run, now, vscode.l10n);
    item.iconPath = new vscode.ThemeIcon(icon, color === undefined ? undefined : new vscode.ThemeColor(color));
    item.contextValue = contextWords(run);
    item.command = { command: 'caisson.openRun', title: vscode.l10n.t('Open Run'), arguments: [run.id] };
    item.accessibilityInformation = {
      label: `${runTitle(run)}, ${stateLabel(run, vscode.l10n)}, ${item.description}`,
      role: 'treeitem',
    };
    return item;
  }

  /** Tooltips are made when they are looked at. */
  resolveTreeItem(item: vscode.TreeItem, node: RunNode): vscode.TreeItem {
    if (node.kind === 'run') item.tooltip = runTooltip(node.run, Date.now() + this.#options.clockOffsetMs());
    return item;
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#changed.dispose();
  }
}

function groupItem({ name, runs }: RunGroup, filtered: boolean): vscode.TreeItem {
  const { Collapsed, Expanded } = vscode.TreeItemCollapsibleState;
  const item = new vscode.TreeItem(GROUP_LABELS[name](), name === 'earlier' && !filtered ? Collapsed : Expanded);
  // What was searched for is shown, whatever was folded before: VS Code remembers that by the id.
  item.id = filtered ? `group:${name}:filtered` : `group:${name}`;
  item.contextValue = 'group ';
  item.description = String(runs.length);
  return item;
}

const GROUP_LABELS: Readonly<Record<GroupName, () => string>> = {
  active: () => vscode.l10n.t('Active'),
  today: () => vscode.l10n.t('Today'),
  earlier: () => vscode.l10n.t('Earlier'),
};
