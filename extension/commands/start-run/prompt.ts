import * as vscode from 'vscode';

const PROMPT_FILE = 'caisson-prompt.md';

/** The prompt that was typed last and has not become a run: whatever came in between must not cost it. */
export interface PromptDraft {
  text: string;
}

/**
 * Asks for one line; a button opens an editor for more.
 * @param first what the box holds: `begun` is gone on with, `proposed` is selected, so that typing replaces it
 * @returns undefined when there is nothing to go on with
 */
export function askPrompt(
  first: { readonly begun: string } | { readonly proposed: string },
): Promise<string | undefined> {
  const value = 'begun' in first ? first.begun : first.proposed;
  return new Promise((resolve) => {
    const input = vscode.window.createInputBox();
    const editor = {
      iconPath: new vscode.ThemeIcon('edit'),
      tooltip: vscode.l10n.t('Write a Longer Prompt in an Editor'),
    };
    input.title = vscode.l10n.t('Start Run');
    input.placeholder = vscode.l10n.t('What should the agent do?');
    input.prompt = vscode.l10n.t('The pencil opens an editor for a longer prompt.');
    input.value = value;
    input.valueSelection = ['begun' in first ? value.length : 0, value.length];
    input.ignoreFocusOut = true;
    input.buttons = [editor];
    let result: string | undefined;
    input.onDidAccept(() => {
      if (input.value.trim() === '') {
        input.validationMessage = vscode.l10n.t('Say what the agent should do.');
        return;
      }
      result = input.value;
      input.hide();
    });
    input.onDidChangeValue(() => (input.validationMessage = undefined));
    input.onDidTriggerButton(() => {
      const text = input.value;
      input.hide();
      void openPromptEditor(text);
    });
    input.onDidHide(() => {
      input.dispose();
      resolve(result);
    });
    input.show();
  });
}

/** An untitled document: the editor's title has «Start Run», by the name of its file. */
export async function openPromptEditor(text: string): Promise<void> {
  const uri = vscode.Uri.from({ scheme: 'untitled', path: PROMPT_FILE });
  const document = await vscode.workspace.openTextDocument(uri);
  const editor = await vscode.window.showTextDocument(document, { preview: false });
  if (document.getText() === '' && text !== '') {
    await editor.edit((edit) => edit.insert(new vscode.Position(0, 0), text));
  }
}

/** The prompt document in front of the user, if that is what is there. */
export function activePrompt(): vscode.TextDocument | undefined {
  const document = vscode.window.activeTextEditor?.document;
  return document?.uri.scheme === 'untitled' && document.uri.path.endsWith(PROMPT_FILE) ? document : undefined;
}

/** Its run has started: the document is closed without a question about saving. */
export async function closePrompt(document: vscode.TextDocument): Promise<void> {
  if (document.isClosed) return;
  await vscode.window.showTextDocument(document);
  await vscode.commands.executeCommand('workbench.action.revertAndCloseActiveEditor');
}
