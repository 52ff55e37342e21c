import * as vscode from 'vscode';
import { runId as runIdSchema } from '../../shared/protocol/rest.ts';
import { tabTitle } from '../runs/presentation.ts';
import type { Side } from './excerpt.ts';
import type { FilePatch } from './file-patch.ts';
import type { RunResult, RunResults } from './results.ts';

export const RUN_SCHEME = 'caisson-run';

/** The path is the file's own, so that the editor finds its language and its icon. */
function documentUri(runId: string, path: string, side: Side): vscode.Uri {
  return vscode.Uri.from({ scheme: RUN_SCHEME, path: `/${path}`, query: `${runId}&${side}` });
}

/** Both sides of every file of a run's result, as documents that cannot be written. */
export function createRunDocuments(results: () => RunResults): vscode.TextDocumentContentProvider {
  return {
    provideTextDocumentContent: (uri) => {
      const [runId, side] = uri.query.split('&');
      const valid = runIdSchema.safeParse(runId);
      if (!valid.success || (side !== 'before' && side !== 'after')) return '';
      return results().content(valid.data, uri.path.slice(1), side);
    },
  };
}

function sides({ run }: RunResult, file: FilePatch): { before: vscode.Uri | undefined; after: vscode.Uri | undefined } {
  return {
    before: file.status === 'added' ? undefined : documentUri(run.id, file.path, 'before'),
    after: file.status === 'deleted' ? undefined : documentUri(run.id, file.path, 'after'),
  };
}

/** Opens all changes of a run in the multi-file diff editor, or one file's in the diff editor. */
export async function openChanges(result: RunResult, path?: string): Promise<void> {
  const title = vscode.l10n.t('Changes of «{0}»', tabTitle(result.run));
  if (path === undefined) {
    const list = result.files.map((file) => {
      const { before, after } = sides(result, file);
      return [after ?? before, before, after];
    });
    await vscode.commands.executeCommand('vscode.changes', title, list);
    return;
  }
  const file = result.files.find((candidate) => candidate.path === path);
  if (!file) return;
  const before = documentUri(result.run.id, file.path, 'before');
  const after = documentUri(result.run.id, file.path, 'after');
  const name = file.path.split('/').at(-1) ?? file.path;
  await vscode.commands.executeCommand('vscode.diff', before, after, vscode.l10n.t('{0} (run)', name), {
    preview: true,
  });
}
