import { createRequire } from 'node:module';
import { join } from 'node:path';
import * as vscode from 'vscode';

export const ID = 'caisson.caisson';

export interface Recorded {
  /** Every use of secrets, in order. */
  readonly secretCalls: string[];
  readonly secrets: Map<string, string>;
  readonly memory: Map<string, unknown>;
}

export interface Loaded extends Recorded {
  /** The extension's own `vscode`, which is another object than the one of these tests. */
  readonly api: typeof vscode;
  activate(): void;
  /**
   * Calls a command as it was registered. `executeCommand` would also let VS Code activate the extension, at some time
   * during or after the test: a command is an activation event.
   */
  run(command: string): Promise<unknown>;
  dispose(): void;
}

export function extension(): vscode.Extension<unknown> {
  const found = vscode.extensions.getExtension(ID);
  if (!found) throw new Error(`${ID} is not installed`);
  return found;
}

/** The extension's bundle with a context whose storage is in the test's hands. VS Code itself has not activated it. */
export function load(): Loaded {
  const found = extension();
  const main = join(found.extensionPath, (found.packageJSON as { main: string }).main);
  const require = createRequire(main);
  const module = require(main) as { activate(context: vscode.ExtensionContext): void };
  const secrets = new Map<string, string>();
  const memory = new Map<string, unknown>();
  const secretCalls: string[] = [];
  const memento = {
    keys: () => [...memory.keys()],
    get: (key: string, otherwise?: unknown) => memory.get(key) ?? otherwise,
    update: async (key: string, value: unknown) => void memory.set(key, value),
    setKeysForSync: () => undefined,
  };
  const changed = new vscode.EventEmitter<vscode.SecretStorageChangeEvent>();
  const called = (what: string, key = '') => void secretCalls.push(`${what} ${key}`.trim());
  const subscriptions: vscode.Disposable[] = [];
  const context = {
    subscriptions,
    extension: found,
    extensionUri: found.extensionUri,
    extensionPath: found.extensionPath,
    globalStorageUri: vscode.Uri.joinPath(found.extensionUri, 'storage'),
    globalState: memento,
    workspaceState: memento,
    secrets: {
      keys: async () => (called('keys'), [...secrets.keys()]),
      get: async (key: string) => (called('get', key), secrets.get(key)),
      store: async (key: string, value: string) => {
        called('store', key);
        secrets.set(key, value);
        changed.fire({ key });
      },
      delete: async (key: string) => {
        called('delete', key);
        secrets.delete(key);
        changed.fire({ key });
      },
      onDidChange: changed.event,
    },
  };
  const api = require('vscode') as typeof vscode;
  const commands = new Map<string, () => unknown>();
  const register = api.commands.registerCommand;
  api.commands.registerCommand = (id: string, handler: () => unknown) => {
    commands.set(id, handler);
    return new vscode.Disposable(() => commands.delete(id));
  };
  return {
    api,
    secrets,
    secretCalls,
    memory,
    activate: () => module.activate(context as unknown as vscode.ExtensionContext),
    run: async (command) => commands.get(command)!(),
    dispose: () => {
      api.commands.registerCommand = register;
      for (const subscription of subscriptions.splice(0).toReversed()) subscription.dispose();
    },
  };
}
