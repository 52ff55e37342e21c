import * as vscode from 'vscode';
import { CaissonError } from '../../shared/protocol/errors.ts';
import {
  runFromWebview,
  runToWebview,
  type ChangeAction,
  type Handlers,
  type RunAction,
  type RunFromWebview,
  type RunToWebview,
} from '../../shared/protocol/panel.ts';
import type { Me, Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import type { ClientEvent } from '../../shared/client/event.ts';
import { changedSince, findTarget } from '../diff/target.ts';
import { runTitle, tabTitle } from '../runs/presentation.ts';
import type { Services } from '../services.ts';
import type { Session } from '../session/session.ts';
import { explainError } from '../support/errors.ts';
import { changedFiles } from './changed-files.ts';
import { answer, createPage, pageTexts, panelIcon, type Page } from './page.ts';
import { openRunFeed } from './run-feed.ts';

export const RUN_PANEL = 'caisson.run';
/** After the stream has given up, the panel asks again this often while somebody looks at it. */
const RETRY_MS = 30_000;

/**
 * The panel of one run. The page keeps the events and tells where it is; this side holds nothing but the subscription,
 * and only while the page is shown: a hidden page is gone, and asks again from where it was.
 */
export class RunPanel {
  readonly #services: Services;
  readonly #panel: vscode.WebviewPanel;
  readonly #runId: string;
  readonly #page: Page<RunToWebview>;
  readonly #server: string;
  #feed: { close(): void } | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #changes: Extract<RunToWebview, { type: 'changes' }> = { type: 'changes', state: 'none', files: [], actions: [] };
  #after = 0;

  constructor(services: Services, panel: vscode.WebviewPanel, { runId, server }: { runId: string; server: string }) {
    this.#services = services;
    this.#panel = panel;
    this.#runId = runId;
    this.#server = server;
    panel.iconPath = panelIcon(services.extensionUri);
    this.#page = createPage({
      panel,
      extensionUri: services.extensionUri,
      name: 'run',
      incoming: runFromWebview,
      outgoing: runToWebview,
      handlers: this.#handlers,
      log: services.log,
    });
    const sessions = services.sessions.onDidChange(() => this.#resubscribe());
    panel.onDidChangeViewState(() => {
      if (!panel.visible) this.#stop();
    });
    panel.onDidDispose(() => {
      sessions.dispose();
      this.#stop();
    });
  }

  get visible(): boolean {
    return this.#panel.visible;
  }

  reveal(): void {
    this.#panel.reveal();
  }

  close(): void {
    this.#panel.dispose();
  }

  readonly #handlers: Handlers<RunFromWebview> = {
    ready: () => this.#introduce(),
    subscribe: ({ after }) => this.#subscribe(after),
    act: ({ request, action }) => answer(this.#page, request, () => this.#act(action), this.#services.log),
    send: ({ request, text }) =>
      answer(
        this.#page,
        request,
        () => this.#call((s) => s.call((c) => c.runs.sendMessage(this.#runId, text))),
        this.#services.log,
      ),
    approve: ({ request, approvalId, optionId }) =>
      answer(
        this.#page,
        request,
        () => this.#call((s) => s.call((c) => c.runs.approve(this.#runId, approvalId, { optionId }))),
        this.#services.log,
      ),
    change: ({ request, action, path }) =>
      answer(this.#page, request, () => this.#change(action, path), this.#services.log),
    open_link: ({ url }) => this.#openLink(url),
    problem: ({ message }) => this.#services.log.warn(`The run page: ${message}`),
  };

  /** The session with the panel's own server; that of another one would show another run, or none. */
  async #session(): Promise<Session | undefined> {
    const session = await this.#services.sessions.current();
    return session?.server.url === this.#server ? session : undefined;
  }

  async #introduce(): Promise<void> {
    const session = await this.#session();
    const [run, me] = session ? await Promise.all([this.#read(session), this.#whoAmI(session)]) : [];
    if (run) this.#panel.title = tabTitle(run);
    await this.#page.send({
      type: 'init',
      ...pageTexts(),
      runId: this.#runId,
      server: this.#server,
      title: run ? runTitle(run) : '',
      ...(me && { self: `key:${me.key.id}` }),
      // Runs of others are looked at, not steered, whoever may do it by the rules of the server.
      readOnly: !session?.can('runs:write') || run?.createdBy.memberId !== session.server.memberId,
      clockOffsetMs: session?.clockOffsetMs ?? 0,
    });
    if (!session) await this.#page.send({ type: 'connection', state: 'signed_out' });
    await this.#page.send(this.#changes);
    if (run && isFinal(run.state)) await this.#showChanges(run);
  }

  async #whoAmI(session: Session): Promise<Me | undefined> {
    try {
      return await session.me();
    } catch (error) {
      this.#services.log.warn('Whose key this is could not be read.', error);
      return undefined;
    }
  }

  async #read(session: Session): Promise<Run | undefined> {
    try {
      return await session.call((client) => client.runs.get(this.#runId));
    } catch (error) {
      this.#services.log.warn(`The run ${this.#runId} could not be read.`, error);
      return this.#services.store.get(this.#runId);
    }
  }

  async #subscribe(after: number): Promise<void> {
    this.#stop();
    this.#after = after;
    const session = await this.#session();
    if (!session || !this.#panel.visible) return;
    // Somebody may have asked twice while the session was read.
    this.#stop();
    this.#feed = openRunFeed({
      stream: session.client.stream(),
      runId: this.#runId,
      after,
      send: (message) => this.#page.send(message),
      onEvent: (event) => this.#noticed(event, session),
      onEnded: (error) => this.#ended(session, error),
      l10n: vscode.l10n,
    });
  }

  #resubscribe(): void {
    const { kind } = this.#services.sessions.state;
    if (kind === 'signed_in') void this.#subscribe(this.#after);
    else if (kind !== 'unknown') void this.#page.send({ type: 'connection', state: 'signed_out' });
  }

  #noticed(event: ClientEvent, session: Session): void {
    this.#after = event.seq;
    if (event.type === 'run.result' || (event.type === 'run.state' && isFinal((event.data as { to: Run['state'] }).to)))
      if (this.#changes.state === 'none') void this.#readChanges(session);
  }

  async #readChanges(session: Session): Promise<void> {
    const run = await this.#read(session);
    if (run && isFinal(run.state)) await this.#showChanges(run);
  }

  #ended(session: Session, error: CaissonError | undefined): void {
    if (error) session.noticed(error);
    if (error?.code === 'not_found' || error?.code === 'gone') void this.#gone();
    else if (error?.code === 'unavailable') this.#retry = setTimeout(() => void this.#subscribe(this.#after), RETRY_MS);
  }

  async #gone(): Promise<void> {
    // What the connection does from here on has nothing to do with this run any more.
    this.#stop();
    this.#services.store.remove(this.#runId);
    await this.#page.send({ type: 'connection', state: 'gone' });
  }

  #stop(): void {
    clearTimeout(this.#retry);
    this.#feed?.close();
    this.#feed = undefined;
  }

  async #call(work: (session: Session) => Promise<void>): Promise<void> {
    const session = (await this.#session()) ?? (await this.#services.session());
    if (session.server.url !== this.#server)
      throw new Error(vscode.l10n.t('This run is on {0}. Switch to that server first.', this.#server));
    await work(session);
  }

  async #act(action: RunAction): Promise<string | undefined> {
    if (action === 'terminal') await this.#call(async () => this.#services.commands.openTerminal(this.#runId));
    else await this.#call((session) => session.call((client) => client.runs[action](this.#runId)));
    return undefined;
  }

  async #change(action: ChangeAction, path: string | undefined): Promise<string | undefined> {
    const { commands } = this.#services;
    switch (action) {
      case 'diff':
        return commands.showChanges(this.#runId, path);
      case 'apply':
        return commands.applyChanges(this.#runId);
      case 'checkout':
        return commands.checkoutChanges(this.#runId);
      case 'save_patch':
        return commands.savePatch(this.#runId);
    }
    return undefined;
  }

  async #showChanges(run: Run): Promise<void> {
    if (!run.patch) return this.#tellChanges({ type: 'changes', state: 'none', files: [], actions: [] });
    await this.#tellChanges({ type: 'changes', state: 'loading', files: [], actions: [] });
    try {
      const { files } = await this.#services.results.load(run.id);
      const { actions, note } = await this.#possible(run, files);
      await this.#tellChanges({
        type: 'changes',
        state: 'ready',
        files: changedFiles(files),
        actions,
        ...(note !== undefined && { note }),
      });
    } catch (error) {
      const note = explainError(error, vscode.l10n);
      await this.#tellChanges({ type: 'changes', state: 'failed', files: [], actions: ['save_patch'], note });
    }
  }

  async #tellChanges(changes: Extract<RunToWebview, { type: 'changes' }>): Promise<void> {
    this.#changes = changes;
    await this.#page.send(changes);
  }

  /** What can be done with the changes here and now, and what to mind. */
  async #possible(
    run: Run,
    files: Parameters<typeof changedSince>[2],
  ): Promise<{ actions: ChangeAction[]; note?: string }> {
    const look: ChangeAction[] = ['diff', 'save_patch'];
    if (!vscode.workspace.isTrusted)
      return { actions: look, note: vscode.l10n.t('This workspace is not trusted, so nothing can be applied to it.') };
    const folder = this.#services.folders.find(run.id);
    if (!folder) {
      const several = (vscode.workspace.workspaceFolders ?? []).some(({ uri }) => uri.scheme === 'file');
      if (several) return { actions: [...look, 'apply', 'checkout'] };
      return { actions: look, note: vscode.l10n.t('Open a folder on this machine to apply the changes to it.') };
    }
    const git = await this.#services.git();
    const target = await findTarget(git, folder.uri.fsPath);
    const changed = await changedSince(git, target, files);
    return {
      actions: [...look, 'apply', ...(target.repository ? (['checkout'] as const) : [])],
      ...(changed.length > 0 && {
        note:
          changed.length === 1
            ? vscode.l10n.t('{0} has changed in the workspace since the run began.', changed[0] ?? '')
            : vscode.l10n.t('{0} of these files have changed in the workspace since the run began.', changed.length),
      }),
    };
  }

  /** The whole address is shown, because what an agent wrote may lead anywhere; VS Code's own question would cut it. */
  async #openLink(url: string): Promise<void> {
    const open = vscode.l10n.t('Open');
    const chosen = await vscode.window.showWarningMessage(
      vscode.l10n.t('Open this address, which the agent wrote?'),
      { modal: true, detail: url },
      open,
    );
    if (chosen === open) await vscode.env.openExternal(vscode.Uri.parse(url, true));
  }
}
