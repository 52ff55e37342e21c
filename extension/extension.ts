import * as vscode from 'vscode';
import { registerCommands } from './commands/register.ts';
import { createRunDocuments, RUN_SCHEME } from './diff/run-documents.ts';
import { createNotifier } from './notifications/notifier.ts';
import { connectRuns } from './runs/connect.ts';
import { createServices } from './services.ts';
import { createRunsView } from './views/runs-view.ts';
import { createStatusBar } from './views/status-bar.ts';

/**
 * Registers everything and does nothing: no file, no network, no secret is touched before a view is shown or a command
 * is called.
 */
export function activate(context: vscode.ExtensionContext): void {
  const services = createServices(context);
  const { store, sessions, tree, panels, log, memberId } = services;
  context.subscriptions.push(
    connectRuns(store, sessions),
    createRunsView(tree, store, sessions),
    createStatusBar(store),
    createNotifier({ store, memberId, isVisible: (runId) => panels.isVisible(runId), log }),
    panels.registerSerializers(),
    registerCommands(services),
    vscode.workspace.registerTextDocumentContentProvider(
      RUN_SCHEME,
      createRunDocuments(() => services.results),
    ),
  );
}
