import { createReadStream } from 'node:fs';
import * as vscode from 'vscode';
import type { SourceInput } from '../../../shared/protocol/rest.ts';
import { makeSnapshot } from '../../../shared/source/snapshot.ts';
import { localFolders, pickFolder } from '../../diff/workspace-folders.ts';
import { parseRemoteBranches, parseRemoteUrls, type RemoteBranch } from '../../git/remote.ts';
import type { Git } from '../../git/run-git.ts';
import { createSourceHost } from '../../git/source-host.ts';
import { formatBytes } from '../../runs/presentation.ts';
import type { Session } from '../../session/session.ts';
import { signalOf } from '../../support/cancellation.ts';
import type { Log } from '../../support/log.ts';
import { readSettings } from '../../support/settings.ts';

export type SourceChoice =
  | { readonly kind: 'workspace'; readonly folder: vscode.WorkspaceFolder }
  | { readonly kind: 'branch'; readonly branch: RemoteBranch }
  | { readonly kind: 'none' };

export function sourceLabel(source: SourceChoice): string {
  switch (source.kind) {
    case 'workspace':
      return vscode.l10n.t('{0}, as it is now', source.folder.name);
    case 'branch':
      return `${source.branch.remote}/${source.branch.branch}`;
    case 'none':
      return vscode.l10n.t('An empty workspace');
  }
  return '';
}

/**
 * Asks what the run is to work on. What is not possible here stays in the list, with the reason, and choosing it
 * changes nothing.
 * @returns undefined when the user thought better of it
 */
export async function pickSource(
  git: Git | undefined,
  folder: vscode.WorkspaceFolder | undefined,
): Promise<SourceChoice | undefined> {
  const reason = whyNotFromHere();
  const detail = (text: string) => (reason === undefined ? text : `$(warning) ${reason}`);
  const items = [
    {
      choice: 'workspace' as const,
      label: vscode.l10n.t('$(folder) This workspace as it is'),
      detail: detail(vscode.l10n.t('With uncommitted and untracked files, without what .gitignore names.')),
    },
    {
      choice: 'branch' as const,
      label: vscode.l10n.t('$(git-branch) A branch on the remote'),
      detail: detail(vscode.l10n.t('The sandbox fetches it by itself; nothing is uploaded from here.')),
    },
    {
      choice: 'none' as const,
      label: vscode.l10n.t('$(circle-slash) Nothing'),
      detail: vscode.l10n.t('The run begins in an empty workspace.'),
    },
  ];
  const title = vscode.l10n.t('What should the run work on?');
  for (;;) {
    const chosen = await vscode.window.showQuickPick(items, { title, ignoreFocusOut: true });
    if (!chosen) return undefined;
    if (chosen.choice === 'none') return { kind: 'none' };
    if (reason !== undefined) continue;
    const where = folder ?? (await pickFolder(vscode.l10n.t('Which folder?')));
    if (!where) return undefined;
    if (chosen.choice === 'workspace') return { kind: 'workspace', folder: where };
    const branch = await pickBranch(git, where);
    return branch && { kind: 'branch', branch };
  }
}

/** Why nothing can be taken from this window's workspace, in a sentence; undefined where it can. */
export function whyNotFromHere(): string | undefined {
  const folders = vscode.workspace.workspaceFolders ?? [];
  if (folders.length === 0) return vscode.l10n.t('No folder is open.');
  if (localFolders().length === 0)
    return vscode.l10n.t('The files of a virtual workspace are not on a disk, so they cannot be taken from here.');
  if (!vscode.workspace.isTrusted) return vscode.l10n.t('This workspace is not trusted, so nothing is taken from it.');
  return undefined;
}

async function pickBranch(git: Git | undefined, folder: vscode.WorkspaceFolder): Promise<RemoteBranch | undefined> {
  if (!git) throw new Error(vscode.l10n.t('git was not found, so the branches of the remote are not known.'));
  const options = { cwd: folder.uri.fsPath };
  const [urls, refs, upstream] = await Promise.all([
    git.attempt(['config', '--get-regexp', '^remote\\..*\\.url$'], options),
    git.attempt(['for-each-ref', '--format=%(refname:lstrip=2)', 'refs/remotes'], options),
    git.attempt(['rev-parse', '--abbrev-ref', '--symbolic-full-name', '@{upstream}'], options),
  ]);
  const branches = parseRemoteBranches(refs.stdout.toString('utf8'), parseRemoteUrls(urls.stdout.toString('utf8')));
  if (branches.length === 0)
    throw new Error(vscode.l10n.t('{0} has no remote branch that a sandbox could fetch. Push one first.', folder.name));
  const current = upstream.stdout.toString('utf8').trim();
  const items = branches
    .map((branch) => ({ label: `${branch.remote}/${branch.branch}`, description: branch.url, branch }))
    .sort((a, b) => Number(b.label === current) - Number(a.label === current));
  const title = vscode.l10n.t('Which branch?');
  return (await vscode.window.showQuickPick(items, { title, matchOnDescription: true, ignoreFocusOut: true }))?.branch;
}

/** Packs and uploads what has to be uploaded. @returns undefined when the user canceled */
export async function provideSource(
  source: SourceChoice,
  session: Session,
  gitProgram: string,
  log: Log,
): Promise<SourceInput | undefined> {
  if (source.kind === 'none') return { kind: 'none' };
  if (source.kind === 'branch') return { kind: 'git', url: source.branch.url, ref: source.branch.branch };
  const { folder } = source;
  const title = vscode.l10n.t('Caisson: {0}', folder.name);
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (progress, token) => {
    const canceled = signalOf(token);
    try {
      progress.report({ message: vscode.l10n.t('packing …') });
      await using snapshot = await makeSnapshot(createSourceHost(gitProgram), folder.uri.fsPath, {
        signal: canceled.signal,
      });
      for (const warning of snapshot.warnings) log.warn(warning);
      if (!(await mayUpload(snapshot.bytes))) return undefined;
      const size = formatBytes(snapshot.bytes);
      let shown = 0;
      const stream = createReadStream(snapshot.path, { highWaterMark: 256 * 1024 });
      const upload = await session.call((client) =>
        client.uploads.create(stream, {
          signal: canceled.signal,
          onProgress: (sent) => {
            const percent = Math.floor((sent / snapshot.bytes) * 100);
            if (percent > shown)
              progress.report({ message: vscode.l10n.t('uploading {0} …', size), increment: percent - shown });
            shown = Math.max(shown, percent);
          },
        }),
      );
      log.info(`Uploaded ${folder.name}: ${size}, ${snapshot.uncommitted} uncommitted files.`);
      if (snapshot.warnings.length > 0) void vscode.window.showWarningMessage(snapshot.warnings.join(' '));
      return { kind: 'upload' as const, uploadId: upload.id };
    } catch (error) {
      if (token.isCancellationRequested) return undefined;
      throw error;
    } finally {
      canceled.dispose();
    }
  });
}

async function mayUpload(bytes: number): Promise<boolean> {
  const { confirmUploadAboveMiB } = readSettings();
  if (bytes <= confirmUploadAboveMiB * 1024 * 1024) return true;
  const upload = vscode.l10n.t('Upload');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Upload {0}?', formatBytes(bytes)),
    { modal: true, detail: vscode.l10n.t('A large upload is often a sign of a missing entry in .gitignore.') },
    upload,
  );
  return chosen === upload;
}
