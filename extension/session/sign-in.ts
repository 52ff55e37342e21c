import * as vscode from 'vscode';
import { checkApiKey } from '../../shared/client/http.ts';
import type { Client } from '../../shared/client/client.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Me } from '../../shared/protocol/rest.ts';
import { signalOf } from '../support/cancellation.ts';
import { connectionAdvice, connectionProblem, explainError } from '../support/errors.ts';
import type { Session } from './session.ts';
import type { Sessions } from './sessions.ts';
import { checkServerUrl, DEFAULT_SERVER_URL, normalizeServerUrl, serverName } from './server-url.ts';

const TLS_HELP = 'https://code.visualstudio.com/docs/setup/network';

/** Asks for server and key until one pair works or the user gives up. Nothing is stored before the server accepted it. */
export async function signIn(
  sessions: Sessions,
  createClient: (url: string, apiKey: string) => Client,
  suggestedUrl?: string,
): Promise<Session | undefined> {
  let url = suggestedUrl ?? sessions.servers.current ?? DEFAULT_SERVER_URL;
  for (;;) {
    const address = await askUrl(url);
    if (address === undefined) return undefined;
    url = address;
    const apiKey = await askKey(url);
    if (apiKey === undefined) return undefined;
    const checked = await check(() => createClient(url, apiKey), url);
    if (!checked) return undefined;
    if ('me' in checked) return sessions.signIn(url, apiKey, checked.me);
    if (!(await explainFailure(checked.error, url))) return undefined;
  }
}

function askUrl(value: string): Promise<string | undefined> {
  return Promise.resolve(
    vscode.window.showInputBox({
      title: vscode.l10n.t('Sign In to Caisson (1/2): Server'),
      prompt: vscode.l10n.t('The address of the Caisson server that runs your agents.'),
      placeHolder: DEFAULT_SERVER_URL,
      value,
      ignoreFocusOut: true,
      validateInput: (text) => {
        const problem = checkServerUrl(text, vscode.l10n);
        if (!problem) return undefined;
        const { Error: error, Warning: warning } = vscode.InputBoxValidationSeverity;
        return { message: problem.message, severity: problem.severity === 'error' ? error : warning };
      },
    }),
  ).then((text) => (text === undefined ? undefined : normalizeServerUrl(text)));
}

function askKey(url: string): Promise<string | undefined> {
  return Promise.resolve(
    vscode.window.showInputBox({
      title: vscode.l10n.t('Sign In to Caisson (2/2): API Key'),
      prompt: vscode.l10n.t(
        'The API key for {0}. «caisson key create» makes one. It is kept in the secret storage of VS Code.',
        serverName(url),
      ),
      placeHolder: 'csn_live_…',
      password: true,
      ignoreFocusOut: true,
      validateInput: (text) => {
        if (text.trim() === '') return vscode.l10n.t('Enter the API key.');
        try {
          checkApiKey(text.trim());
          return undefined;
        } catch {
          return vscode.l10n.t('The key contains characters that no key has. Copy it again.');
        }
      },
    }),
  ).then((text) => text?.trim());
}

/** @returns undefined when the user did not want to wait any longer */
async function check(open: () => Client, url: string): Promise<{ me: Me } | { error: unknown } | undefined> {
  const title = vscode.l10n.t('Signing in to {0} …', serverName(url));
  const options = { location: vscode.ProgressLocation.Notification, title, cancellable: true };
  return vscode.window.withProgress(options, async (_progress, token) => {
    const canceled = signalOf(token);
    try {
      const client = open();
      return { me: await client.me({ signal: canceled.signal }) };
    } catch (error) {
      return token.isCancellationRequested ? undefined : { error };
    } finally {
      canceled.dispose();
    }
  });
}

/** @returns whether the user wants to try again */
async function explainFailure(error: unknown, url: string): Promise<boolean> {
  const retry = vscode.l10n.t('Try Again');
  const help = vscode.l10n.t('Open Certificate Help');
  const problem = connectionProblem(error);
  const detail =
    problem !== undefined
      ? connectionAdvice(problem, vscode.l10n)
      : error instanceof CaissonError && error.code === 'unauthenticated'
        ? vscode.l10n.t('The server does not know this API key. It may be mistyped, revoked or expired.')
        : explainError(error, vscode.l10n);
  const certificate = problem === 'certificate' || problem === 'certificate_name';
  const chosen = await vscode.window.showErrorMessage(
    vscode.l10n.t('Could not sign in to {0}.', serverName(url)),
    // The user is in the middle of signing in: this is the next step, not news.
    { modal: true, detail },
    retry,
    ...(certificate ? [help] : []),
  );
  if (chosen === help) await vscode.env.openExternal(vscode.Uri.parse(TLS_HELP));
  return chosen === retry;
}

/** Lets the user choose among the known servers, or add one. */
export async function switchServer(
  sessions: Sessions,
  createClient: (url: string, apiKey: string) => Client,
): Promise<void> {
  const { current, servers } = sessions.servers;
  const add = { label: vscode.l10n.t('$(add) Add Server…'), url: undefined };
  const choices = servers.map((server) => ({
    label: `${server.url === current ? '$(check)' : '$(server)'} ${serverName(server.url)}`,
    description: server.organization,
    detail: server.memberName,
    url: server.url as string | undefined,
  }));
  const chosen = await vscode.window.showQuickPick([...choices, add], {
    title: vscode.l10n.t('Switch Caisson Server'),
    matchOnDescription: true,
  });
  if (!chosen) return;
  if (chosen.url === undefined) {
    await signIn(sessions, createClient, DEFAULT_SERVER_URL);
    return;
  }
  const state = await sessions.switchTo(chosen.url);
  if (state.kind !== 'signed_in') await signIn(sessions, createClient, chosen.url);
}

/** Asks once, then forgets the key. */
export async function signOut(sessions: Sessions): Promise<void> {
  const url = sessions.servers.current;
  if (url === null) return;
  const confirm = vscode.l10n.t('Sign Out');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('Sign out from {0}?', serverName(url)),
    {
      modal: true,
      detail: vscode.l10n.t(
        'The API key is deleted from this machine. It stays valid on the server until it is revoked.',
      ),
    },
    confirm,
  );
  if (chosen === confirm) await sessions.signOut(url);
}
