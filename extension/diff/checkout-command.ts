import * as vscode from 'vscode';
import { fetchRunBranch } from '../../shared/source/branch.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import { createGit, gitWords } from '../../shared/source/git.ts';
import { createSourceHost } from '../git/source-host.ts';
import { shortId } from '../runs/presentation.ts';
import { requireTrust, type ApplyDeps } from './apply-command.ts';
import { findTarget } from './target.ts';

/**
 * Makes a branch of the run's commits and switches to it. Hooks stay off: with `core.hooksPath` set to a folder of the
 * repository, git would run what the agent has put there.
 * @returns a sentence on what came of it; undefined when the user thought better of it
 */
export async function checkoutBranch(deps: ApplyDeps, runId: string): Promise<string | undefined> {
  requireTrust();
  const { run } = await deps.results.load(runId);
  const folder = await deps.folders.choose(runId, vscode.l10n.t('Make the branch in which folder?'));
  const git = await deps.git();
  const target = git && folder && (await findTarget(git, folder.uri.fsPath));
  if (!git || !target?.repository)
    throw new Error(vscode.l10n.t('A branch needs a git repository. Open the one that the run was started in.'));
  const branch = await vscode.window.showInputBox({
    title: vscode.l10n.t('Check Out as Branch'),
    prompt: vscode.l10n.t('The name of the new branch.'),
    value: run.branch ?? `caisson/${shortId(runId)}`,
  });
  if (branch === undefined || branch.trim() === '') return undefined;
  const bundle = await deps.results.bundle(runId);
  const options = { cwd: target.top };
  await fetchRunBranch(createGit(createSourceHost(git.program)), bundle, branch.trim(), options);
  const switched = await git.attempt(['switch', '--quiet', '--no-guess', branch.trim()], options);
  if (switched.exitCode !== 0)
    throw new CaissonError(
      'conflict',
      vscode.l10n.t('The branch {0} was made, but not checked out: {1}', branch, gitWords(switched)),
    );
  return vscode.l10n.t('The branch {0} is checked out.', branch);
}
