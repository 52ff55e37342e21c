import { parseBaseUrl } from '../../shared/client/http.ts';
import type { Localizer } from '../support/localizer.ts';

export const DEFAULT_SERVER_URL = 'http://127.0.0.1:7480';

/** How a server is named in storage: one spelling for each server, so that it never has two keys. */
export function normalizeServerUrl(text: string): string {
  return parseBaseUrl(withScheme(text.trim())).href.replace(/\/$/, '');
}

/** `host:7480` is what people type; plain HTTP is guessed only for this very machine. */
function withScheme(text: string): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
  return `${isLoopbackHost(text.replace(/[:/].*$/, '')) ? 'http' : 'https'}://${text}`;
}

function isLoopbackHost(host: string): boolean {
  return host === 'localhost' || /^127(\.\d{1,3}){3}$/.test(host) || host === '[::1]';
}

export interface UrlProblem {
  readonly severity: 'error' | 'warning';
  readonly message: string;
}

/** What is wrong with an address while it is typed; a warning does not keep it from being used. */
export function checkServerUrl(text: string, l10n: Localizer): UrlProblem | undefined {
  if (text.trim() === '') return { severity: 'error', message: l10n.t('Enter the address of the Caisson server.') };
  let url: URL;
  try {
    url = new URL(normalizeServerUrl(text));
  } catch {
    return {
      severity: 'error',
      message: l10n.t(
        'This is not a server address. It looks like {0}, without user name and password.',
        DEFAULT_SERVER_URL,
      ),
    };
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    const message = l10n.t(
      'http:// sends your API key over the network unencrypted. Use https:// if the server offers it.',
    );
    return { severity: 'warning', message };
  }
  return undefined;
}

/** `host:port/path`: what distinguishes servers, without the scheme. */
export function serverName(url: string): string {
  return url.replace(/^https?:\/\//, '');
}
