import * as vscode from 'vscode';
import { historyFromWebview, historyToWebview, type HistoryToWebview } from '../../shared/protocol/panel.ts';
import type { Services } from '../services.ts';
import type { Session } from '../session/session.ts';
import { selfFirst, toRunQuery } from './history-query.ts';
import { answer, createPage, pageTexts, panelIcon, type Page } from './page.ts';

export const HISTORY_PANEL = 'caisson.history';
/** As many as a person can look through in a drop-down list. */
const MAX_CHOICES = 200;

/** The history of everyone's runs, for those who may read it; members see their own. */
export function openHistoryPage(services: Services, panel: vscode.WebviewPanel): void {
  panel.iconPath = panelIcon(services.extensionUri);
  const page: Page<HistoryToWebview> = createPage({
    panel,
    extensionUri: services.extensionUri,
    name: 'history',
    incoming: historyFromWebview,
    outgoing: historyToWebview,
    log: services.log,
    handlers: {
      ready: () => introduce(services, page),
      query: async ({ request, query, cursor, limit }) => {
        try {
          const session = await signedIn(services);
          const { items, nextCursor } = await session.call((client) =>
            client.runs.list(toRunQuery(query, cursor, limit)),
          );
          await page.send({ type: 'rows', request, rows: items, ...(nextCursor !== undefined && { nextCursor }) });
        } catch (error) {
          await answer(page, request, () => Promise.reject(error), services.log);
        }
      },
      open: ({ runId }) => services.panels.openRun(runId),
      save: ({ request, fileName, content }) => answer(page, request, () => save(fileName, content), services.log),
      problem: ({ message }) => services.log.warn(`The history page: ${message}`),
    },
  });
  // What was loaded stays while nobody is signed in.
  const sessions = services.sessions.onDidChange(({ kind }) => {
    if (kind === 'signed_in') void introduce(services, page);
  });
  panel.onDidDispose(() => sessions.dispose());
}

async function introduce(services: Services, page: Page<HistoryToWebview>): Promise<void> {
  let members: { id: string; name: string }[] = [];
  let environments: { id: string; name: string }[] = [];
  try {
    const session = await signedIn(services);
    const [people, all] = await Promise.all([
      session.call((client) => client.members.list({ limit: MAX_CHOICES })),
      session.call((client) => client.environments.list({ limit: MAX_CHOICES })),
    ]);
    members = selfFirst(people.items, session.server.memberId);
    environments = all.items.map(({ id, name }) => ({ id, name }));
  } catch (error) {
    // The page shows itself without filters; its own query tells what is the matter.
    services.log.warn('The filters of the history could not be read.', error);
  }
  await page.send({ type: 'init', ...pageTexts(), members, environments });
}

/** A page that asks by itself must not make VS Code ask for a key. */
async function signedIn({ sessions }: Services): Promise<Session> {
  const session = await sessions.current();
  if (!session) throw new Error(vscode.l10n.t('Sign in to see the history of runs.'));
  return session;
}

async function save(fileName: string, content: string): Promise<string | undefined> {
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  const file = await vscode.window.showSaveDialog({
    title: vscode.l10n.t('Export Run History'),
    ...(folder && { defaultUri: vscode.Uri.joinPath(folder, fileName) }),
  });
  if (!file) return undefined;
  await vscode.workspace.fs.writeFile(file, new TextEncoder().encode(content));
  return vscode.l10n.t('Saved {0}.', file.path.split('/').at(-1) ?? fileName);
}
