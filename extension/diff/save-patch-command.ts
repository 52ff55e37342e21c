import { basename } from 'node:path';
import * as vscode from 'vscode';
import { shortId } from '../runs/presentation.ts';
import type { RunResults } from './results.ts';

/** @returns a sentence on what came of it; undefined when the user thought better of it */
export async function savePatch(results: RunResults, runId: string): Promise<string | undefined> {
  const { bytes } = await results.load(runId);
  const name = `caisson-${shortId(runId)}.patch`;
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Save Changes as Patch'),
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, name) }),
    filters: { [vscode.l10n.t('Patch')]: ['patch', 'diff'] },
  });
  if (!file) return undefined;
  await vscode.workspace.fs.writeFile(file, bytes);
  return vscode.l10n.t('Saved {0}.', basename(file.path));
}
