import * as vscode from 'vscode';
import { createClient, type Client } from '../shared/client/client.ts';
import { openWsSocket } from '../shared/client/ws-socket.ts';
import type { PromptDraft } from './commands/start-run/prompt.ts';
import { createRunCommands, type RunCommands } from './commands/run-commands.ts';
import { RunResults } from './diff/results.ts';
import { RunFolders } from './diff/workspace-folders.ts';
import { Git } from './git/run-git.ts';
import { Panels } from './panels/panels.ts';
import { RunStore } from './runs/run-store.ts';
import type { Session } from './session/session.ts';
import { Sessions } from './session/sessions.ts';
import { signIn } from './session/sign-in.ts';
import { Log } from './support/log.ts';
import { gitProgram } from './support/settings.ts';
import { RunsTree } from './views/runs-tree.ts';

/** Everything that the extension is made of, constructed here and nowhere else. Constructing does no I/O. */
export interface Services {
  readonly extensionUri: vscode.Uri;
  readonly workspaceMemory: vscode.Memento;
  readonly log: Log;
  readonly sessions: Sessions;
  readonly store: RunStore;
  readonly tree: RunsTree;
  readonly results: RunResults;
  readonly folders: RunFolders;
  readonly panels: Panels;
  readonly commands: RunCommands;
  readonly draft: PromptDraft;
  readonly createClient: (url: string, apiKey: string) => Client;
  /** Git, where it can be started. */
  readonly git: () => Promise<Git | undefined>;
  /** The session in use; asks to sign in where there is none. @throws {vscode.CancellationError} when that is declined */
  readonly session: () => Promise<Session>;
  /** Whose runs are the user's own. */
  readonly memberId: () => string | undefined;
  /** Reads which server is in use and begins to show its runs. The first I/O of the extension. */
  readonly start: () => Promise<void>;
}

export function createServices(context: vscode.ExtensionContext): Services {
  const log = new Log();
  const version = (context.extension.packageJSON as { version: string }).version;
  const clientFor = (baseUrl: string, apiKey: string): Client =>
    createClient({ baseUrl, apiKey, openSocket: openWsSocket, userAgent: `caisson-vscode/${version}` });
  const sessions = new Sessions({
    secrets: context.secrets,
    memory: context.globalState,
    createClient: clientFor,
    log,
  });
  const store = new RunStore();
  const folders = new RunFolders(context.workspaceState);

  const session = async (): Promise<Session> => {
    const current = await sessions.current();
    if (current) return current;
    const signedIn = await signIn(sessions, clientFor);
    if (!signedIn) throw new vscode.CancellationError();
    return signedIn;
  };
  const git = async () => {
    const found = new Git(gitProgram());
    return (await found.available(context.extensionPath)) ? found : undefined;
  };
  const start = async () => void (await sessions.load());

  const services: Services = {
    extensionUri: context.extensionUri,
    workspaceMemory: context.workspaceState,
    log,
    sessions,
    store,
    tree: new RunsTree({ store, clockOffsetMs: () => clockOffset(sessions), onFirstUse: () => void start() }),
    results: new RunResults({
      storage: () => context.globalStorageUri.fsPath,
      session,
      git,
      folderOf: (runId) => folders.find(runId)?.uri.fsPath,
      l10n: vscode.l10n,
    }),
    folders,
    panels: new Panels(() => services),
    commands: createRunCommands(() => services),
    draft: { text: '' },
    createClient: clientFor,
    git,
    session,
    memberId: () => ('session' in sessions.state ? sessions.state.session.server.memberId : undefined),
    start,
  };
  context.subscriptions.push(log, sessions, store, services.tree, services.panels);
  return services;
}

function clockOffset(sessions: Sessions): number {
  return 'session' in sessions.state ? sessions.state.session.clockOffsetMs : 0;
}
