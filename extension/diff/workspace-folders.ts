import * as vscode from 'vscode';
import { z } from 'zod';

const remembered = z.array(z.tuple([z.string(), z.string()]));
const KEY = 'caisson.runFolders';
const KEPT = 200;

/** Which folder each run was started in, so that its changes go back to where they came from. */
export class RunFolders {
  readonly #memory: vscode.Memento;

  constructor(memory: vscode.Memento) {
    this.#memory = memory;
  }

  get #list(): [string, string][] {
    return remembered.safeParse(this.#memory.get(KEY)).data ?? [];
  }

  async remember(runId: string, folder: vscode.Uri): Promise<void> {
    const list = [[runId, folder.toString()] as [string, string], ...this.#list];
    await this.#memory.update(KEY, list.slice(0, KEPT));
  }

  /** The folder that the run was started in, if it is open; else the only one that is. */
  find(runId: string): vscode.WorkspaceFolder | undefined {
    const uri = this.#list.find(([id]) => id === runId)?.[1];
    const open = localFolders();
    return open.find((folder) => folder.uri.toString() === uri) ?? (open.length === 1 ? open[0] : undefined);
  }

  async choose(runId: string, placeHolder: string): Promise<vscode.WorkspaceFolder | undefined> {
    return this.find(runId) ?? pickFolder(placeHolder);
  }
}

/** Open folders that are on a disk that this process can read; those of virtual workspaces are not. */
export function localFolders(): readonly vscode.WorkspaceFolder[] {
  return (vscode.workspace.workspaceFolders ?? []).filter((folder) => folder.uri.scheme === 'file');
}

export async function pickFolder(placeHolder: string): Promise<vscode.WorkspaceFolder | undefined> {
  const folders = localFolders();
  if (folders.length <= 1) return folders[0];
  const items = folders.map((folder) => ({ label: folder.name, description: folder.uri.fsPath, folder }));
  return (await vscode.window.showQuickPick(items, { placeHolder }))?.folder;
}
