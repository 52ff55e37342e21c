import * as vscode from 'vscode';
import { panelState } from '../../shared/protocol/panel.ts';
import { runId as runIdSchema } from '../../shared/protocol/rest.ts';
import { tabTitle } from '../runs/presentation.ts';
import type { Services } from '../services.ts';
import { HISTORY_PANEL, openHistoryPage } from './history-panel.ts';
import { webviewRoot } from './page.ts';
import { RUN_PANEL, RunPanel } from './run-panel.ts';

/** The open panels: one for each run, one for the history. */
export class Panels implements vscode.Disposable {
  readonly #services: () => Services;
  readonly #runs = new Map<string, RunPanel>();
  #history: vscode.WebviewPanel | undefined;

  constructor(services: () => Services) {
    this.#services = services;
  }

  isVisible(runId: string): boolean {
    return this.#runs.get(runId)?.visible ?? false;
  }

  openRun(runId: string): void {
    const open = this.#runs.get(runId);
    if (open) return open.reveal();
    const { store } = this.#services();
    const known = store.get(runId);
    const title = known ? tabTitle(known) : vscode.l10n.t('Run');
    this.#adopt(this.#create(RUN_PANEL, title), runId, this.#services().sessions.servers.current ?? '');
  }

  closeRun(runId: string): void {
    this.#runs.get(runId)?.close();
  }

  openHistory(): void {
    if (this.#history) return this.#history.reveal();
    this.#adoptHistory(this.#create(HISTORY_PANEL, vscode.l10n.t('Run History')));
  }

  #create(type: string, title: string): vscode.WebviewPanel {
    const { extensionUri } = this.#services();
    return vscode.window.createWebviewPanel(type, title, vscode.ViewColumn.Active, {
      enableScripts: true,
      retainContextWhenHidden: false,
      enableFindWidget: true,
      localResourceRoots: [webviewRoot(extensionUri)],
    });
  }

  #adopt(panel: vscode.WebviewPanel, runId: string, server: string): void {
    this.#runs.set(runId, new RunPanel(this.#services(), panel, { runId, server }));
    panel.onDidDispose(() => this.#runs.delete(runId));
  }

  #adoptHistory(panel: vscode.WebviewPanel): void {
    this.#history = panel;
    panel.onDidDispose(() => (this.#history = undefined));
    openHistoryPage(this.#services(), panel);
  }

  /** Brings panels back after a reload of the window: this may be the first thing that the extension is asked for. */
  registerSerializers(): vscode.Disposable {
    return vscode.Disposable.from(
      vscode.window.registerWebviewPanelSerializer(RUN_PANEL, {
        deserializeWebviewPanel: async (panel, state) => {
          const kept = panelState.extend({ runId: runIdSchema }).safeParse(state);
          // A page that was closed before it knew its run has nothing to come back to.
          if (!kept.success || this.#runs.has(kept.data.runId)) {
            panel.dispose();
          } else {
            await this.#services().start();
            this.#adopt(panel, kept.data.runId, kept.data.server);
          }
        },
      }),
      vscode.window.registerWebviewPanelSerializer(HISTORY_PANEL, {
        deserializeWebviewPanel: async (panel) => {
          if (this.#history) {
            panel.dispose();
          } else {
            await this.#services().start();
            this.#adoptHistory(panel);
          }
        },
      }),
    );
  }

  dispose(): void {
    for (const panel of this.#runs.values()) panel.close();
    this.#history?.dispose();
  }
}
