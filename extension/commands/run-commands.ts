import * as vscode from 'vscode';
import { runId as runIdSchema } from '../../shared/protocol/rest.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import { applyChanges } from '../diff/apply-command.ts';
import { checkoutBranch } from '../diff/checkout-command.ts';
import { openChanges } from '../diff/run-documents.ts';
import { savePatch } from '../diff/save-patch-command.ts';
import { runDescription, runTitle, STATE_ICONS } from '../runs/presentation.ts';
import type { Services } from '../services.ts';
import { openSandboxTerminal } from '../terminal/sandbox-terminal.ts';

/** What can be done with a run, for the palette, the tree and the panel alike. Each rejects with what went wrong. */
export type RunCommands = ReturnType<typeof createRunCommands>;

type Action = 'cancel' | 'pause' | 'resume' | 'finish';

export function createRunCommands(services: () => Services) {
  async function act(action: Action, runId: string): Promise<void> {
    const session = await services().session();
    await session.call((client) => client.runs[action](runId));
    await services().store.refresh();
  }

  return {
    act,
    showChanges: async (runId: string, path?: string): Promise<undefined> => {
      const title = vscode.l10n.t('Reading the changes …');
      const location = vscode.ProgressLocation.Window;
      const result = await vscode.window.withProgress({ location, title }, () => services().results.load(runId));
      await openChanges(result, path);
    },
    applyChanges: (runId: string) => applyChanges(services(), runId),
    checkoutChanges: (runId: string) => checkoutBranch(services(), runId),
    savePatch: (runId: string) => savePatch(services().results, runId),

    sendMessage: async (runId: string): Promise<void> => {
      const session = await services().session();
      const text = await vscode.window.showInputBox({
        title: vscode.l10n.t('Send Message'),
        prompt: vscode.l10n.t('The agent gets it when its present turn is over.'),
        ignoreFocusOut: true,
      });
      if (text?.trim()) await session.call((client) => client.runs.sendMessage(runId, text));
    },

    openTerminal: async (runId: string): Promise<void> => openSandboxTerminal(await services().session(), runId),

    /** Questions of the agent are answered where they can be read in full: in the panel. */
    answer: async (runId: string): Promise<void> => services().panels.openRun(runId),

    remove: async (runId: string): Promise<void> => {
      const { store, results } = services();
      const session = await services().session();
      const run = store.get(runId) ?? (await session.call((client) => client.runs.get(runId)));
      const remove = vscode.l10n.t('Delete');
      const chosen = await vscode.window.showWarningMessage(
        vscode.l10n.t('Delete the run «{0}»?', runTitle(run)),
        {
          modal: true,
          detail: vscode.l10n.t(
            'Its record, its patch and its messages are destroyed on the server. Its place in the audit chain stays, without content. This cannot be undone.',
          ),
        },
        remove,
      );
      if (chosen !== remove) return;
      await session.call((client) => client.runs.delete(runId));
      store.remove(runId);
      services().panels.closeRun(runId);
      await results.forget(runId);
    },
  };
}

/**
 * The run that a command is about: a tree node, an id, or, from the palette, one that the user picks.
 * @param wanted which runs can be picked
 */
export async function resolveRun(
  services: Services,
  argument: unknown,
  wanted: (run: Run) => boolean = () => true,
): Promise<string | undefined> {
  const id =
    typeof argument === 'object' && argument !== null && 'run' in argument
      ? (argument.run as { id?: unknown }).id
      : argument;
  const parsed = runIdSchema.safeParse(id);
  if (parsed.success) return parsed.data;
  await services.session();
  if (services.store.status.kind !== 'ready') await services.store.refresh();
  const runs = services.store.runs.filter(wanted).sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  if (runs.length === 0) throw new Error(vscode.l10n.t('There is no run that this could be done with.'));
  const items = runs.map((run) => ({
    label: `$(${STATE_ICONS[run.state].icon}) ${runTitle(run)}`,
    description: runDescription(run, Date.now(), vscode.l10n),
    id: run.id,
  }));
  return (
    await vscode.window.showQuickPick(items, { placeHolder: vscode.l10n.t('Which run?'), matchOnDescription: true })
  )?.id;
}

export const RUNS_FOR: Readonly<
  Record<'active' | 'running' | 'paused' | 'interactive' | 'ended' | 'changed' | 'asking', (run: Run) => boolean>
> = {
  active: (run) => !isFinal(run.state),
  running: (run) => run.state === 'running' || run.state === 'waiting',
  paused: (run) => run.state === 'paused',
  interactive: (run) => run.interactive && !isFinal(run.state),
  ended: (run) => isFinal(run.state),
  changed: (run) => run.patch !== null && run.patch !== undefined,
  asking: (run) => run.pendingApprovals.length > 0,
};
