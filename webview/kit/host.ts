import { dispatch } from '../../shared/protocol/panel.ts';
import type { Host, Outcome } from './host-port.ts';
import { t } from './l10n.ts';

/** What VS Code gives to a webview, once. */
interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

/** Long, for a person may be looking at a file dialog; after it, the button that was pressed works again. */
const ANSWER_DEADLINE_MS = 600_000;

export function connectHost<Out extends { type: string }>(): Host<Out> {
  const api = acquireVsCodeApi();
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let last = 0;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- VS Code's own function, not the window's
  const post = (message: object): void => api.postMessage(message);
  const problem = (what: string, error: unknown): void => {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    post({ type: 'problem', message: `${what}: ${detail}`.slice(0, 10_000) });
  };
  window.addEventListener('error', (event) => problem('The page failed', event.error ?? event.message));
  window.addEventListener('unhandledrejection', (event) => problem('The page failed', event.reason));

  return {
    post,
    ask: (message, onNumber) =>
      new Promise((resolve) => {
        const request = ++last;
        const deadline = setTimeout(
          () => settle({ ok: false, message: t('There was no answer.') }),
          ANSWER_DEADLINE_MS,
        );
        const settle = (outcome: Outcome): void => {
          clearTimeout(deadline);
          waiting.delete(request);
          resolve(outcome);
        };
        waiting.set(request, settle);
        onNumber?.(request);
        post({ ...message, request });
      }),
    settle: ({ request, ok, message }) => waiting.get(request)?.({ ok, message }),
    problem,
    loadState: () => api.getState(),
    saveState: (state) => api.setState(state),
    listen: (schema, handlers) =>
      window.addEventListener('message', (event: MessageEvent<unknown>) => {
        dispatch(schema, handlers, event.data).catch((error: unknown) =>
          problem('A message was not understood', error),
        );
      }),
  };
}
