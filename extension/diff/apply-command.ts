import * as vscode from 'vscode';
import type { Git } from '../git/run-git.ts';
import { formatCount, runTitle } from '../runs/presentation.ts';
import { applyMerging, applyWhole, type Applied, type Patch, type Skipped } from './apply-patch.ts';
import type { RunResult, RunResults } from './results.ts';
import { toolingFiles } from './safe-path.ts';
import { changedSince, findTarget, type Target } from './target.ts';
import type { RunFolders } from './workspace-folders.ts';

export interface ApplyDeps {
  readonly results: RunResults;
  readonly folders: RunFolders;
  readonly git: () => Promise<Git | undefined>;
}

/** A file of text that people merge is smaller. */
const MAX_MERGED_BYTES = 50 * 1024 * 1024;

/** @returns a sentence on what came of it; undefined when the user thought better of it */
export async function applyChanges(deps: ApplyDeps, runId: string): Promise<string | undefined> {
  requireTrust();
  const result = await deps.results.load(runId);
  const folder = await deps.folders.choose(runId, vscode.l10n.t('Apply the changes to which folder?'));
  if (!folder)
    throw new Error(vscode.l10n.t('Open the folder that the run was started in; there is none to apply to.'));
  const git = await deps.git();
  const target = await findTarget(git, folder.uri.fsPath);
  const patch: Patch = { bytes: result.bytes, files: result.files, blob: blobsOf(deps.results, runId) };
  await saveTouched(target, result);
  const changed = await changedSince(git, target, result.files);
  if (!(await confirm(result, changed))) return undefined;
  const progress = { location: vscode.ProgressLocation.Window, title: vscode.l10n.t('Applying the changes …') };
  const applied = await vscode.window.withProgress(progress, () => apply(git, target, patch));
  if (applied === undefined)
    throw new Error(
      vscode.l10n.t(
        'The changes do not fit the workspace, and git, which could merge them, was not found. Nothing was touched.',
      ),
    );
  return tell(applied);
}

async function apply(git: Git | undefined, target: Target, patch: Patch): Promise<Applied | undefined> {
  const whole = await applyWhole(git, target, patch);
  return whole ?? (git && applyMerging(git, target, patch));
}

function blobsOf(results: RunResults, runId: string): Patch['blob'] {
  return async (id) => {
    const found = await (await results.objects(runId))?.blob(id, MAX_MERGED_BYTES);
    return found === 'too_large' ? undefined : found;
  };
}

/** What is typed and not saved would be overwritten by the editor's next save, so it is saved first. */
async function saveTouched(target: Target, { files }: RunResult): Promise<void> {
  const touched = new Set(files.map((file) => vscode.Uri.joinPath(vscode.Uri.file(target.top), file.path).toString()));
  const dirty = vscode.workspace.textDocuments.filter(
    (document) => document.isDirty && touched.has(document.uri.toString()),
  );
  for (const document of dirty) await document.save();
}

async function confirm({ run, files }: RunResult, changed: readonly string[]): Promise<boolean> {
  const tooling = toolingFiles(files.map((file) => file.path));
  const details = [
    totals(files.length, run.patch?.insertions ?? 0, run.patch?.deletions ?? 0),
    changed.length > 0 &&
      vscode.l10n.t(
        'The workspace has changed since the run began; these files are merged and may have conflicts: {0}',
        list(changed),
      ),
    tooling.length > 0 &&
      vscode.l10n.t(
        'Tools act upon these files by themselves, outside the sandbox. Look at them first: {0}',
        list(tooling),
      ),
  ];
  const yes = changed.length > 0 ? vscode.l10n.t('Merge') : vscode.l10n.t('Apply');
  const show = vscode.l10n.t('Show Changes');
  const chosen = await vscode.window.showInformationMessage(
    vscode.l10n.t('Apply the changes of «{0}» to the workspace?', runTitle(run)),
    { modal: true, detail: details.filter(Boolean).join('\n\n') },
    yes,
    show,
  );
  if (chosen === show) await vscode.commands.executeCommand('caisson.showChanges', run.id);
  return chosen === yes;
}

function totals(files: number, insertions: number, deletions: number): string {
  const lines = [formatCount(insertions), formatCount(deletions)] as const;
  if (files === 1) return vscode.l10n.t('1 file: +{0} −{1} lines.', ...lines);
  return vscode.l10n.t('{0} files: +{1} −{2} lines.', formatCount(files), ...lines);
}

function tell({ applied, conflicts, skipped }: Applied): string {
  const changed = applied.length + conflicts.length;
  const parts = [
    changed === 1
      ? vscode.l10n.t('1 file was changed.')
      : vscode.l10n.t('{0} files were changed.', formatCount(changed)),
    conflicts.length > 0 && vscode.l10n.t('Resolve the conflicts in: {0}', list(conflicts)),
    skipped.length > 0 &&
      vscode.l10n.t('Left as they are: {0}', list(skipped.map(({ path, why }) => `${path} (${REASONS[why]()})`))),
  ];
  const message = parts.filter(Boolean).join(' ');
  if (conflicts.length === 0 && skipped.length === 0) void vscode.window.showInformationMessage(message);
  else void offerSourceControl(message);
  return message;
}

async function offerSourceControl(message: string): Promise<void> {
  const open = vscode.l10n.t('Open Source Control');
  const chosen = await vscode.window.showWarningMessage(message, open);
  if (chosen === open) await vscode.commands.executeCommand('workbench.view.scm');
}

const REASONS: Readonly<Record<Skipped['why'], () => string>> = {
  binary: () => vscode.l10n.t('binary, and changed here'),
  deleted_here: () => vscode.l10n.t('deleted here'),
  changed_here: () => vscode.l10n.t('deleted by the run, changed here'),
  no_base: () => vscode.l10n.t('the state it started from is not on this machine'),
  unsafe: () => vscode.l10n.t('not inside the workspace'),
  refused: () => vscode.l10n.t('git could not merge it'),
};

const list = (paths: readonly string[]) => paths.slice(0, 10).join(', ') + (paths.length > 10 ? ', …' : '');

/** In an untrusted workspace nothing is run and nothing is written. */
export function requireTrust(): void {
  if (!vscode.workspace.isTrusted)
    throw new Error(vscode.l10n.t('This workspace is not trusted. Trust it to upload from it or to change it.'));
}
