import * as vscode from 'vscode';
import type { Log } from './log.ts';
import { explainError, isCancellation } from './errors.ts';

/** Tells the user about a failed action, once, with the way to the details. Resolves when the message is gone. */
export async function reportError(log: Log, what: string, error: unknown): Promise<void> {
  if (isCancellation(error) || error instanceof vscode.CancellationError) return;
  log.error(what, error);
  const showOutput = vscode.l10n.t('Show Output');
  const chosen = await vscode.window.showErrorMessage(`${what} ${explainError(error, vscode.l10n)}`, showOutput);
  if (chosen === showOutput) log.show();
}
