import * as vscode from 'vscode';
import { refreshRuns } from '../runs/connect.ts';
import type { Services } from '../services.ts';
import { signIn, signOut, switchServer } from '../session/sign-in.ts';
import { reportError } from '../support/report.ts';
import { clearFilter, filterRuns } from './filter-command.ts';
import { resolveRun, RUNS_FOR } from './run-commands.ts';
import { openPromptEditor } from './start-run/prompt.ts';
import { startRun, startRunFromEditor } from './start-run/start-run.ts';

type Work = (argument: unknown) => unknown;

/** Every command of the manifest. A test compares the two lists. */
export function commandTable(services: Services): Readonly<Record<string, { what: () => string; run: Work }>> {
  const { l10n } = vscode;
  const { commands, sessions, createClient } = services;
  const onRun =
    (work: (runId: string) => unknown, wanted?: (typeof RUNS_FOR)[keyof typeof RUNS_FOR]): Work =>
    async (argument) => {
      const runId = await resolveRun(services, argument, wanted);
      if (runId !== undefined) await work(runId);
    };
  /** What came of it is said in the status bar, where the panel would have said it on the button. */
  const saying = (work: (runId: string) => Promise<string | undefined>) => async (runId: string) => {
    const message = await work(runId);
    if (message) vscode.window.setStatusBarMessage(message, 5000);
  };
  const failed = {
    signIn: () => l10n.t('Signing in failed.'),
    start: () => l10n.t('The run could not be started.'),
    open: () => l10n.t('The run could not be opened.'),
    act: () => l10n.t('The run could not be changed.'),
    changes: () => l10n.t('The changes could not be used.'),
    view: () => l10n.t('Something went wrong.'),
  };
  const uriOf = (argument: unknown) => (argument instanceof vscode.Uri ? argument : undefined);
  return {
    'caisson.signIn': { what: failed.signIn, run: () => signIn(sessions, createClient) },
    'caisson.signOut': { what: failed.signIn, run: () => signOut(sessions) },
    'caisson.switchServer': { what: failed.signIn, run: () => switchServer(sessions, createClient) },
    'caisson.startRun': { what: failed.start, run: () => startRun(services) },
    'caisson.startRunHere': { what: failed.start, run: (argument) => startRun(services, uriOf(argument)) },
    'caisson.startRunFromEditor': { what: failed.start, run: () => startRunFromEditor(services) },
    'caisson.writePrompt': { what: failed.start, run: () => openPromptEditor('') },
    'caisson.openRun': { what: failed.open, run: onRun((id) => services.panels.openRun(id)) },
    'caisson.openHistory': { what: failed.open, run: () => openHistory(services) },
    'caisson.cancelRun': { what: failed.act, run: onRun((id) => commands.act('cancel', id), RUNS_FOR.active) },
    'caisson.pauseRun': { what: failed.act, run: onRun((id) => commands.act('pause', id), RUNS_FOR.running) },
    'caisson.resumeRun': { what: failed.act, run: onRun((id) => commands.act('resume', id), RUNS_FOR.paused) },
    'caisson.finishRun': { what: failed.act, run: onRun((id) => commands.act('finish', id), RUNS_FOR.interactive) },
    'caisson.sendMessage': { what: failed.act, run: onRun(commands.sendMessage, RUNS_FOR.interactive) },
    'caisson.answerApproval': { what: failed.act, run: onRun(commands.answer, RUNS_FOR.asking) },
    'caisson.openTerminal': { what: failed.act, run: onRun(commands.openTerminal, RUNS_FOR.running) },
    'caisson.deleteRun': { what: failed.act, run: onRun(commands.remove, RUNS_FOR.ended) },
    'caisson.copyRunId': { what: failed.view, run: onRun((id) => vscode.env.clipboard.writeText(id)) },
    'caisson.showChanges': { what: failed.changes, run: onRun((id) => commands.showChanges(id), RUNS_FOR.changed) },
    'caisson.applyChanges': { what: failed.changes, run: onRun(commands.applyChanges, RUNS_FOR.changed) },
    'caisson.checkoutChanges': { what: failed.changes, run: onRun(saying(commands.checkoutChanges), RUNS_FOR.changed) },
    'caisson.savePatch': { what: failed.changes, run: onRun(saying(commands.savePatch), RUNS_FOR.changed) },
    'caisson.refreshRuns': { what: failed.view, run: () => refreshRuns(services.store, sessions) },
    'caisson.filterRuns': { what: failed.view, run: () => filterRuns(services.tree) },
    'caisson.clearFilter': { what: failed.view, run: () => clearFilter(services.tree) },
    'caisson.showOutput': { what: failed.view, run: () => services.log.show() },
  };
}

async function openHistory(services: Services): Promise<void> {
  await services.session();
  services.panels.openHistory();
}

/** No command rejects: what went wrong is told once, in words, and is in the output channel. */
export function registerCommands(services: Services): vscode.Disposable {
  const registered = Object.entries(commandTable(services)).map(([id, { what, run }]) =>
    vscode.commands.registerCommand(id, async (argument: unknown) => {
      try {
        await run(argument);
      } catch (error) {
        await reportError(services.log, what(), error);
      }
    }),
  );
  return vscode.Disposable.from(...registered);
}
