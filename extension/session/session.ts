import type { Client } from '../../shared/client/client.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Me, Scope } from '../../shared/protocol/rest.ts';
import type { KnownServer } from './servers.ts';

/** What the extension is to its server at the moment. An expired session still knows whose runs it shows. */
export type SessionState =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'signed_out' }
  | { readonly kind: 'signed_in'; readonly session: Session }
  | { readonly kind: 'expired'; readonly session: Session };

/** One server with one key: made at sign-in, ended at sign-out or when the server refuses the key. */
export class Session {
  readonly server: KnownServer;
  readonly client: Client;
  readonly #onRefused: (session: Session) => void;
  #me: Promise<Me> | undefined;
  #clockOffsetMs = 0;

  constructor(server: KnownServer, client: Client, onRefused: (session: Session) => void) {
    this.server = server;
    this.client = client;
    this.#onRefused = onRefused;
  }

  /** Milliseconds that the server's clock is ahead of this one, as far as is known. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  can(scope: Scope): boolean {
    return this.server.scopes.includes(scope);
  }

  /** Whose key it is; asked once. */
  async me(): Promise<Me> {
    this.#me ??= this.#ask();
    try {
      return await this.#me;
    } catch (error) {
      this.#me = undefined;
      throw error;
    }
  }

  async #ask(): Promise<Me> {
    const asked = Date.now();
    const me = await this.call((client) => client.me());
    // The answer was made somewhere between question and arrival; half of the way is the best guess.
    this.#clockOffsetMs = Date.parse(me.server.time) - (asked + Date.now()) / 2;
    return me;
  }

  /** Every call goes through here, so that a refused key is noticed wherever it is refused first. */
  async call<T>(use: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await use(this.client);
    } catch (error) {
      this.noticed(error);
      throw error;
    }
  }

  /** Looks at an error that came some other way (the stream's) for a refused key. */
  noticed(error: unknown): void {
    if (error instanceof CaissonError && error.code === 'unauthenticated') this.#onRefused(this);
  }

  close(): void {
    this.client.close();
  }
}
