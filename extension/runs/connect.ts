import * as vscode from 'vscode';
import { isFinal, RUN_STATES } from '../../shared/run/state.ts';
import type { Session } from '../session/session.ts';
import type { Sessions } from '../session/sessions.ts';
import { serverName } from '../session/server-url.ts';
import { readSettings } from '../support/settings.ts';
import type { RunSource, RunStore } from './run-store.ts';

const PAGE = 100;
const ACTIVE = RUN_STATES.filter((state) => !isFinal(state));
/** Changing to the window and back reads the list once, not each time. */
const FRESH_MS = 5_000;

/** The user's own runs on the session's server: the newest, and every one that still goes on. */
export function runSource(session: Session): RunSource {
  const member = session.server.memberId;
  return {
    list: async () => {
      // The clock's offset is known from here on; what it is for (elapsed times) comes with the runs.
      await session.me();
      const newest = await session.call((client) => client.runs.list({ limit: PAGE, member }));
      if (newest.nextCursor === undefined) return newest.items;
      const active = await session.call((client) => client.runs.list({ limit: PAGE, member, state: ACTIVE }));
      return [...newest.items, ...active.items];
    },
    get: (runId) => session.call((client) => client.runs.get(runId)),
    subscribe: (runId, after, subscriber) =>
      session.client.stream().subscribe(runId, after, {
        ...subscriber,
        ended: (error) => {
          if (error) session.noticed(error);
          subscriber.ended(error);
        },
      }),
  };
}

/** Reads the list again, after a look at whether it is still the same session's. */
export async function refreshRuns(store: RunStore, sessions: Sessions): Promise<void> {
  await sessions.reload();
  await store.refresh();
}

/** Lets the store follow the session, and reads the list again every now and then while somebody looks. */
export function connectRuns(store: RunStore, sessions: Sessions): vscode.Disposable {
  let refreshedAt = 0;
  const refresh = async () => {
    refreshedAt = Date.now();
    if (sessions.state.kind !== 'unknown') await refreshRuns(store, sessions);
  };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const schedule = () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (vscode.window.state.focused) void refresh();
      schedule();
    }, readSettings().refreshIntervalSeconds * 1000);
  };
  const onSession = (state: Sessions['state']) => {
    if (state.kind === 'signed_in') {
      store.connect(runSource(state.session));
      void refresh();
      schedule();
      return;
    }
    clearTimeout(timer);
    store.disconnect(state.kind === 'expired');
    if (state.kind === 'expired') void offerSignIn(state.session);
  };
  return vscode.Disposable.from(
    sessions.onDidChange(onSession),
    vscode.window.onDidChangeWindowState(({ focused }) => {
      if (focused && Date.now() - refreshedAt > FRESH_MS) void refresh();
    }),
    { dispose: () => clearTimeout(timer) },
  );
}

async function offerSignIn({ server }: Session): Promise<void> {
  const signIn = vscode.l10n.t('Sign In');
  const chosen = await vscode.window.showWarningMessage(
    vscode.l10n.t('{0} no longer accepts your API key. It may be revoked or expired.', serverName(server.url)),
    signIn,
  );
  if (chosen === signIn) await vscode.commands.executeCommand('caisson.signIn');
}
