import * as vscode from 'vscode';
import { runTitle, stateLabel } from '../runs/presentation.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { Log } from '../support/log.ts';
import { readSettings } from '../support/settings.ts';
import { decideNotification, type Notification } from './decide.ts';

export interface NotifierOptions {
  readonly store: RunStore;
  readonly memberId: () => string | undefined;
  /** True while the run's panel is in front of the user. */
  readonly isVisible: (runId: string) => boolean;
  readonly log: Log;
}

/** Says that a run is over or waits, with what can be done about it. Nothing else of Caisson interrupts. */
export function createNotifier({ store, memberId, isVisible, log }: NotifierOptions): { dispose(): void } {
  return store.onDidTransition((transition) => {
    const visible = isVisible(transition.after.id) && vscode.window.state.focused;
    const notification = decideNotification(transition, readSettings().notifications, memberId(), visible);
    if (notification) show(notification).catch((error: unknown) => log.error('A notification failed.', error));
  });
}

async function show(notification: Notification): Promise<void> {
  const { run } = notification;
  const open = vscode.l10n.t('Open Run');
  const changes = vscode.l10n.t('Show Changes');
  const title = runTitle(run);
  let chosen: string | undefined;
  switch (notification.kind) {
    case 'approval':
      chosen = await vscode.window.showWarningMessage(vscode.l10n.t('«{0}» asks for your approval.', title), open);
      break;
    case 'input':
      chosen = await vscode.window.showInformationMessage(vscode.l10n.t('«{0}» waits for your answer.', title), open);
      break;
    case 'succeeded':
      chosen = await vscode.window.showInformationMessage(
        vscode.l10n.t('«{0}» has finished.', title),
        ...(run.patch ? [changes, open] : [open]),
      );
      break;
    case 'failed':
      chosen = await vscode.window.showWarningMessage(
        vscode.l10n.t('«{0}» has ended: {1}. {2}', title, stateLabel(run, vscode.l10n), run.failure?.message ?? ''),
        open,
      );
      break;
  }
  if (chosen === open) await vscode.commands.executeCommand('caisson.openRun', run.id);
  if (chosen === changes) await vscode.commands.executeCommand('caisson.showChanges', run.id);
}
