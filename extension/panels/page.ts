import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import type { z } from 'zod';
import { dispatch, panelFiles, type Handlers } from '../../shared/protocol/panel.ts';
import { explainError } from '../support/errors.ts';
import type { Log } from '../support/log.ts';
import { pageHtml } from './page-html.ts';

export interface PageOptions<In extends { type: string }, Out> {
  readonly panel: vscode.WebviewPanel;
  readonly extensionUri: vscode.Uri;
  readonly name: keyof typeof panelFiles;
  readonly incoming: z.ZodType<In>;
  readonly outgoing: z.ZodType<Out>;
  readonly handlers: Handlers<In>;
  readonly log: Log;
}

export interface Page<Out> {
  /** Resolves once the page has taken the message; false where it is hidden and nobody will read it. */
  send(message: Out): Promise<boolean>;
}

export function webviewRoot(extensionUri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
}

/** Icons of editors are images, so there is one for each kind of theme. */
export function panelIcon(extensionUri: vscode.Uri): { light: vscode.Uri; dark: vscode.Uri } {
  const media = (file: string) => vscode.Uri.joinPath(extensionUri, 'extension', 'media', file);
  return { light: media('panel-light.svg'), dark: media('panel-dark.svg') };
}

/** Fills a webview panel and connects its messages, which are parsed in both directions. */
export function createPage<In extends { type: string }, Out>(options: PageOptions<In, Out>): Page<Out> {
  const { panel, extensionUri, name, log } = options;
  const { webview } = panel;
  const root = webviewRoot(extensionUri);
  const uri = (file: string) => webview.asWebviewUri(vscode.Uri.joinPath(root, file)).toString();
  const subscription = webview.onDidReceiveMessage((input: unknown) => {
    dispatch(options.incoming, options.handlers, input).catch((error: unknown) =>
      log.error(`A message of the ${name} page could not be handled.`, error),
    );
  });
  panel.onDidDispose(() => subscription.dispose());
  webview.options = { enableScripts: true, localResourceRoots: [root], enableForms: false };
  webview.html = pageHtml({
    cspSource: webview.cspSource,
    scriptUri: uri(panelFiles[name].script),
    styleUri: uri(panelFiles[name].style),
    nonce: randomBytes(16).toString('base64url'),
    title: panel.title,
    language: vscode.env.language,
  });
  return {
    send: async (message) => {
      try {
        // This is not a window's `postMessage`: a webview has no other origin to be protected from.
        // oxlint-disable-next-line unicorn/require-post-message-target-origin
        return await webview.postMessage(options.outgoing.parse(message));
      } catch (error) {
        // A panel that was closed meanwhile takes no messages any more.
        log.warn(`A message to the ${name} page was not delivered.`, error);
        return false;
      }
    },
  };
}

/** Does what a page asked for and answers exactly once, so that the button that asked is free again. */
export async function answer(
  page: Page<{ type: 'outcome'; request: number; ok: boolean; message?: string }>,
  request: number,
  work: () => Promise<string | undefined | void>,
  log: Log,
): Promise<void> {
  let outcome: { ok: boolean; message?: string };
  try {
    const message = await work();
    outcome = { ok: true, ...(message && { message }) };
  } catch (error) {
    log.error('What a page asked for failed.', error);
    outcome = { ok: false, message: explainError(error, vscode.l10n) };
  }
  await page.send({ type: 'outcome', request, ...outcome });
}

/** How the texts of a page are translated: the same table as everything else. */
export function pageTexts(): { strings: Record<string, string>; locale: string } {
  return { strings: vscode.l10n.bundle ?? {}, locale: vscode.env.language };
}
