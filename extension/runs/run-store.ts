import type { ClientEvent } from '../../shared/client/event.ts';
import type { Subscriber } from '../../shared/client/feed.ts';
import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Run } from '../../shared/protocol/rest.ts';
import { isFinal } from '../../shared/run/state.ts';
import { Emitter } from '../support/emitter.ts';
import { applyEvent } from './apply-event.ts';

/** Where the runs come from: one session's server. */
export interface RunSource {
  /** Newest first. */
  list(): Promise<readonly Run[]>;
  get(runId: string): Promise<Run>;
  subscribe(runId: string, after: number, subscriber: Subscriber): { close(): void };
}

export interface Transition {
  readonly before: Run;
  readonly after: Run;
}

export type StoreStatus =
  | { readonly kind: 'empty' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready' }
  /** What is shown may be out of date: the server cannot be reached, or no longer accepts the key. */
  | { readonly kind: 'stale'; readonly error?: unknown };

/** Runs that are followed live at the same time; the rest is refreshed by the list. */
const MAX_LIVE = 20;
/** Views hear of changes at most this often: a busy run makes hundreds of events a second. */
const QUIET_MS = 150;

/**
 * The runs of one server as they are now: read as a list, then kept true by the events of those that go on. The list
 * of the server before is dropped with `connect`; losing the server or the key keeps it and marks it stale.
 */
export class RunStore {
  readonly #runs = new Map<string, Run>();
  readonly #live = new Map<string, { close(): void }>();
  readonly #changed = new Emitter<void>();
  readonly #transition = new Emitter<Transition>();
  #source: RunSource | undefined;
  #status: StoreStatus = { kind: 'empty' };
  #refreshing: Promise<void> | undefined;
  #quiet: ReturnType<typeof setTimeout> | undefined;

  /** Something that is shown has changed. */
  readonly onDidChange = this.#changed.event;
  /** A run changed its state while it was watched; what happened before that is not told. */
  readonly onDidTransition = this.#transition.event;

  get status(): StoreStatus {
    return this.#status;
  }

  get runs(): readonly Run[] {
    return [...this.#runs.values()];
  }

  get(runId: string): Run | undefined {
    return this.#runs.get(runId);
  }

  /** Begins to show another server's runs; nothing is asked yet. */
  connect(source: RunSource): void {
    this.disconnect(false);
    this.#source = source;
  }

  /** Stops asking. The list stays, stale, when `keep` is set. */
  disconnect(keep: boolean): void {
    for (const subscription of this.#live.values()) subscription.close();
    this.#live.clear();
    this.#source = undefined;
    this.#refreshing = undefined;
    if (!keep) this.#runs.clear();
    this.#become(keep && this.#runs.size > 0 ? { kind: 'stale' } : { kind: 'empty' });
  }

  /** Reads the list again. Failing is a state of the store, not an error of the caller. */
  refresh(): Promise<void> {
    const source = this.#source;
    if (!source) return Promise.resolve();
    this.#refreshing ??= this.#read(source).finally(() => (this.#refreshing = undefined));
    return this.#refreshing;
  }

  async #read(source: RunSource): Promise<void> {
    if (this.#status.kind === 'empty') this.#become({ kind: 'loading' });
    try {
      const listed = await source.list();
      if (source !== this.#source) return;
      const missing = new Set(this.#runs.keys());
      for (const run of listed) {
        missing.delete(run.id);
        this.#put(run);
      }
      // A run that goes on and is not among the newest any more is followed; any other has left the list.
      for (const id of missing) if (!this.#live.has(id)) this.#runs.delete(id);
      this.#follow();
      this.#become({ kind: 'ready' });
    } catch (error) {
      if (source === this.#source) this.#become({ kind: 'stale', error });
    }
  }

  /** Puts in a run that was just started or read. */
  add(run: Run): void {
    this.#put(run);
    this.#follow();
    this.#announce();
  }

  remove(runId: string): void {
    this.#live.get(runId)?.close();
    this.#live.delete(runId);
    if (this.#runs.delete(runId)) this.#announce();
  }

  #put(run: Run): void {
    const known = this.#runs.get(run.id);
    // The stream may be ahead of a list that was read meanwhile.
    if (known && known.lastSeq > run.lastSeq) return;
    this.#runs.set(run.id, run);
    if (known && known.state !== run.state) this.#transition.fire({ before: known, after: run });
  }

  #follow(): void {
    const source = this.#source;
    if (!source) return;
    const active = this.runs
      .filter((run) => !isFinal(run.state))
      .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
    for (const run of active.slice(0, MAX_LIVE)) {
      if (this.#live.has(run.id)) continue;
      this.#live.set(
        run.id,
        source.subscribe(run.id, run.lastSeq, {
          event: (event) => this.#receive(event),
          ended: (error) => this.#ended(run.id, error),
        }),
      );
    }
  }

  #receive(event: ClientEvent): void {
    const before = this.#runs.get(event.runId);
    if (!before) return;
    const after = applyEvent(before, event);
    this.#runs.set(event.runId, after);
    if (after.state !== before.state) this.#transition.fire({ before, after });
    if (isFinal(after.state)) this.#settle(event.runId);
    this.#announce();
  }

  /** The result follows the end within moments, so a run that has ended is read once more and then left alone. */
  #settle(runId: string): void {
    this.#live.get(runId)?.close();
    this.#live.delete(runId);
    const source = this.#source;
    source?.get(runId).then(
      (run) => {
        if (source === this.#source) this.add(run);
      },
      // The next list tells it as well.
      () => undefined,
    );
  }

  #ended(runId: string, error: CaissonError | undefined): void {
    this.#live.delete(runId);
    if (error?.code === 'not_found' || error?.code === 'gone') this.remove(runId);
    else if (error) this.#become({ kind: 'stale', error });
  }

  #become(status: StoreStatus): void {
    this.#status = status;
    this.#announce();
  }

  #announce(): void {
    this.#quiet ??= setTimeout(() => {
      this.#quiet = undefined;
      this.#changed.fire();
    }, QUIET_MS);
  }

  dispose(): void {
    clearTimeout(this.#quiet);
    this.#changed.dispose();
    this.#transition.dispose();
    this.disconnect(false);
    clearTimeout(this.#quiet);
  }
}
