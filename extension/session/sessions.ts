import * as vscode from 'vscode';
import type { Client } from '../../shared/client/client.ts';
import type { Me } from '../../shared/protocol/rest.ts';
import type { Log } from '../support/log.ts';
import {
  currentServer,
  parseServerList,
  withoutServer,
  withServer,
  type KnownServer,
  type ServerList,
} from './servers.ts';
import { Session, type SessionState } from './session.ts';

const SERVERS_KEY = 'caisson.servers';
const secretKey = (url: string) => `caisson.apiKey:${url}`;

export interface SessionsOptions {
  readonly secrets: vscode.SecretStorage;
  readonly memory: vscode.Memento;
  readonly createClient: (url: string, apiKey: string) => Client;
  readonly log: Log;
}

/**
 * Which server is in use, and whether its key still works. Keys are in SecretStorage and in the client that uses
 * them, nowhere else; the list of servers is in global state, which may be synchronized and is plain text on disk.
 */
export class Sessions implements vscode.Disposable {
  readonly #options: SessionsOptions;
  readonly #changed = new vscode.EventEmitter<SessionState>();
  readonly #subscriptions: vscode.Disposable[] = [];
  #state: SessionState = { kind: 'unknown' };
  #loading: Promise<SessionState> | undefined;
  /** What the state was made of, so that hearing of one's own change, or of none, changes nothing. */
  #inUse: { readonly url: string; readonly apiKey: string } | undefined;

  readonly onDidChange = this.#changed.event;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#subscriptions.push(
      // Another window signed in or out, or replaced the key.
      options.secrets.onDidChange(({ key }) => {
        const server = currentServer(this.servers);
        const concerned = server ? key === secretKey(server.url) : key.startsWith('caisson.apiKey:');
        if (concerned && this.#state.kind !== 'unknown') void this.reload();
      }),
    );
  }

  get state(): SessionState {
    return this.#state;
  }

  get servers(): ServerList {
    return parseServerList(this.#options.memory.get(SERVERS_KEY));
  }

  /** The session in use, read from storage at the first call. */
  async current(): Promise<Session | undefined> {
    const state = await this.load();
    return state.kind === 'signed_in' ? state.session : undefined;
  }

  load(): Promise<SessionState> {
    if (this.#state.kind !== 'unknown') return Promise.resolve(this.#state);
    return this.reload();
  }

  /**
   * Reads again what is stored. VS Code tells of secrets that another window has changed, but not everywhere (not in a
   * browser), so this is also done whenever the list of runs is read again.
   */
  reload(): Promise<SessionState> {
    this.#loading ??= this.#read().finally(() => (this.#loading = undefined));
    return this.#loading;
  }

  async #read(): Promise<SessionState> {
    const server = currentServer(this.servers);
    const apiKey = server && (await this.#options.secrets.get(secretKey(server.url)));
    if (!server || apiKey === undefined)
      return this.#state.kind === 'signed_out' ? this.#state : this.#become({ kind: 'signed_out' });
    if (this.#inUse?.url === server.url && this.#inUse.apiKey === apiKey && 'session' in this.#state)
      return this.#state;
    return this.#become({ kind: 'signed_in', session: this.#open(server, apiKey) });
  }

  #open(server: KnownServer, apiKey: string): Session {
    this.#inUse = { url: server.url, apiKey };
    return new Session(server, this.#options.createClient(server.url, apiKey), (session) => this.#refused(session));
  }

  /** Stores a key that the server has just accepted, and begins to use it. */
  async signIn(url: string, apiKey: string, me: Me): Promise<Session> {
    const server: KnownServer = {
      url,
      organization: me.organization.name,
      memberId: me.member.id,
      memberName: me.member.name,
      role: me.member.role,
      scopes: me.key.scopes,
    };
    const session = this.#open(server, apiKey);
    await this.#options.memory.update(SERVERS_KEY, withServer(this.servers, server));
    await this.#options.secrets.store(secretKey(url), apiKey);
    this.#become({ kind: 'signed_in', session });
    this.#options.log.info(`Signed in to ${url} as ${me.member.name} (${me.organization.name}).`);
    return session;
  }

  async signOut(url: string): Promise<void> {
    const wasCurrent = this.servers.current === url;
    await this.#options.memory.update(SERVERS_KEY, withoutServer(this.servers, url));
    await this.#options.secrets.delete(secretKey(url));
    if (wasCurrent) this.#become({ kind: 'signed_out' });
    this.#options.log.info(`Signed out from ${url}; its key is deleted here.`);
  }

  async switchTo(url: string): Promise<SessionState> {
    await this.#options.memory.update(SERVERS_KEY, { ...this.servers, current: url });
    return this.reload();
  }

  /** The key is kept: it may have been refused by mistake, and the next sign-in replaces it anyway. */
  #refused(session: Session): void {
    if (this.#state.kind !== 'signed_in' || this.#state.session !== session) return;
    this.#options.log.warn(`${session.server.url} no longer accepts the API key.`);
    this.#become({ kind: 'expired', session });
  }

  #become(state: SessionState): SessionState {
    const before = this.#state;
    this.#state = state;
    if (state.kind === 'signed_out') this.#inUse = undefined;
    if ('session' in before && !('session' in state && state.session === before.session)) before.session.close();
    if (state.kind === 'expired') state.session.close();
    this.#changed.fire(state);
    return state;
  }

  dispose(): void {
    if ('session' in this.#state) this.#state.session.close();
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }
}
