import type * as z from 'zod';
import { dispatch, type Handlers } from '../../shared/protocol/panel.ts';
import { t } from './l10n.ts';

/** What VS Code gives to a webview, once. */
interface VsCodeApi {
  postMessage(message: unknown): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

export interface Outcome {
  readonly ok: boolean;
  readonly message?: string | undefined;
}
type WithoutNumber<M> = M extends { request: number } ? Omit<M, 'request'> : never;

export interface Host<Out extends { type: string }> {
  post(message: Out): void;
  /** Numbers and sends a message that will be answered. Never rejects: what fails is an outcome. */
  ask(message: WithoutNumber<Out>, onNumber?: (request: number) => void): Promise<Outcome>;
  /** Hands an answer to whoever asked. */
  settle(answer: { readonly request: number } & Outcome): void;
  problem(what: string, error: unknown): void;
  loadState(): unknown;
  saveState(state: unknown): void;
  listen<In extends { type: string }>(schema: z.ZodType<In>, handlers: Handlers<In>): void;
}

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
