import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Run, RunListQuery } from '../../shared/protocol/rest.ts';
import { initialRunView, reduceRun, type RunView } from '../../shared/run/reduce.ts';
import { isFinal, RUN_STATES, type RunStateName } from '../../shared/run/state.ts';
import type { EventLog } from '../events/ports.ts';
import type { Logger } from '../base/logger.ts';
import { messageOf } from '../base/lifecycle.ts';
import type { Collection, Filter, Store } from '../store/port.ts';

/**
 * What lists and filters read: each run's log, reduced. It may lag behind the log by a second and is never the truth;
 * a single run is read exactly, by reducing the events that the index has not seen yet.
 */
interface RunDoc {
  readonly _id: string;
  readonly organizationId: string;
  readonly memberId: string;
  readonly keyId: string;
  readonly createdAt: string;
  readonly state: RunStateName;
  readonly environmentId: string;
  readonly environmentName: string;
  readonly view: RunView;
}

export interface RunOwner {
  readonly organizationId: string;
  readonly memberId: string;
  readonly keyId: string;
}

const SAVE_EVERY_MS = 1000;
const PAGE = 500;
/** Text is searched by reading; a query stops after this many runs and gives a cursor to go on from. */
const MAX_SCANNED = 2000;

const OPEN_STATES = RUN_STATES.filter((state) => !isFinal(state));

export class RunIndex {
  readonly #docs: Collection<RunDoc>;
  readonly #log: EventLog;
  readonly #logger: Logger;

  private constructor(docs: Collection<RunDoc>, log: EventLog, logger: Logger) {
    this.#docs = docs;
    this.#log = log;
    this.#logger = logger;
  }

  static async open(store: Store, log: EventLog, logger: Logger): Promise<RunIndex> {
    const docs = store.collection<RunDoc>('runs');
    await docs.createIndex({ organizationId: 1, _id: 1 });
    await docs.createIndex({ state: 1 });
    return new RunIndex(docs, log, logger);
  }

  async add(
    runId: string,
    owner: RunOwner,
    createdAt: string,
    environment: { id: string; name: string },
  ): Promise<void> {
    const view = initialRunView(runId);
    await this.#docs.insertOne({
      _id: runId,
      ...owner,
      createdAt,
      state: view.state,
      environmentId: environment.id,
      environmentName: environment.name,
      view,
    });
  }

  /** Keeps the entry of an active run up to date, at most once a second and at every change of state. */
  follow(runId: string): () => Promise<void> {
    let view = initialRunView(runId);
    let saved = view;
    let timer: NodeJS.Timeout | undefined;
    let saving = Promise.resolve();
    const save = () => {
      clearTimeout(timer);
      timer = undefined;
      if (saved === view) return;
      saved = view;
      const written = view;
      saving = saving.then(async () => {
        await this.#docs.updateOne({ _id: runId }, { $set: { view: written, state: written.state } });
      });
      // The entry is a copy: what could not be written is derived from the log again, at the next read or start.
      saving = saving.catch((error: unknown) =>
        this.#logger.warn({ runId, error: messageOf(error) }, 'the run index could not be updated'),
      );
    };
    const unsubscribe = this.#log.subscribe(runId, (events) => {
      const before = view.state;
      view = events.reduce(reduceRun, view);
      if (view.state !== before) save();
      else timer ??= setTimeout(save, SAVE_EVERY_MS);
    });
    return async () => {
      unsubscribe();
      save();
      await saving;
    };
  }

  /** @throws {CaissonError} `not_found` for a run that never was, was deleted, or is another organization's */
  async get(organizationId: string, runId: string): Promise<Run> {
    return toRun(await this.#exact(await this.#find(organizationId, runId)));
  }

  async owner(organizationId: string, runId: string): Promise<RunOwner> {
    const { memberId, keyId } = await this.#find(organizationId, runId);
    return { organizationId, memberId, keyId };
  }

  async list(organizationId: string, query: ParsedRunListQuery): Promise<{ items: Run[]; nextCursor?: string }> {
    const items: Run[] = [];
    let cursor = query.cursor;
    for (let scanned = 0; scanned < MAX_SCANNED;) {
      const limit = query.text ? PAGE : query.limit + 1;
      const docs = await this.#docs
        .find(listFilter(organizationId, query, cursor), { sort: { _id: -1 }, limit })
        .toArray();
      for (const doc of docs) {
        if (query.text && !matchesText(doc.view, query.text)) continue;
        if (items.length === query.limit) return { items, nextCursor: cursor ?? '' };
        cursor = doc._id;
        items.push(toRun(doc));
      }
      if (docs.length < limit) return { items };
      scanned += docs.length;
      cursor = docs.at(-1)?._id;
    }
    return cursor === undefined ? { items } : { items, nextCursor: cursor };
  }

  /** The runs that have not ended, as far as the index knows: what a new server process has to look after. */
  async unfinished(): Promise<readonly { runId: string; view: RunView }[]> {
    const docs = await this.#docs.find({ state: { $in: OPEN_STATES } }).toArray();
    return Promise.all(docs.map(async (doc) => ({ runId: doc._id, view: (await this.#exact(doc)).view })));
  }

  async save(runId: string, view: RunView): Promise<void> {
    await this.#docs.updateOne({ _id: runId }, { $set: { view, state: view.state } });
  }

  async delete(organizationId: string, runId: string): Promise<void> {
    await this.#docs.deleteOne({ _id: runId, organizationId });
  }

  async #find(organizationId: string, runId: string): Promise<RunDoc> {
    const doc = await this.#docs.findOne({ _id: runId, organizationId });
    if (!doc) throw new CaissonError('not_found', `There is no run ${runId}.`);
    return doc;
  }

  async #exact(doc: RunDoc): Promise<RunDoc> {
    if (isFinal(doc.view.state)) return doc;
    let view = doc.view;
    for (;;) {
      const events = await this.#log.range(doc._id, { after: view.lastSeq, limit: PAGE });
      if (events.length === 0) return { ...doc, view, state: view.state };
      view = events.reduce(reduceRun, view);
    }
  }
}

export type ParsedRunListQuery = Omit<RunListQuery, 'limit' | 'state' | 'cursor'> & {
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly state?: readonly RunStateName[] | undefined;
};

function listFilter(organizationId: string, query: ParsedRunListQuery, cursor: string | undefined): Filter {
  const created = { ...(query.from ? { $gte: query.from } : {}), ...(query.to ? { $lt: query.to } : {}) };
  return {
    organizationId,
    ...(cursor ? { _id: { $lt: cursor } } : {}),
    ...(query.state ? { state: { $in: query.state } } : {}),
    ...(query.member ? { memberId: query.member } : {}),
    ...(Object.keys(created).length > 0 ? { createdAt: created } : {}),
    ...(query.environment
      ? { $or: [{ environmentId: query.environment }, { environmentName: query.environment }] }
      : {}),
  };
}

function matchesText(view: RunView, text: string): boolean {
  const wanted = text.toLowerCase();
  return (
    view.title.toLowerCase().includes(wanted) ||
    view.prompt.toLowerCase().includes(wanted) ||
    view.runId.includes(wanted)
  );
}

function toRun(doc: RunDoc): Run {
  const { view } = doc;
  return {
    id: doc._id,
    title: view.title,
    prompt: view.prompt,
    state: view.state,
    ...(view.waitingFor ? { waitingFor: view.waitingFor } : {}),
    ...(view.failure ? { failure: view.failure } : {}),
    agent: view.agent,
    environment: { id: doc.environmentId, name: doc.environmentName },
    source: view.source,
    createdBy: { memberId: doc.memberId, keyId: doc.keyId },
    createdAt: doc.createdAt,
    ...(view.startedAt ? { startedAt: view.startedAt } : {}),
    ...(view.endedAt ? { endedAt: view.endedAt } : {}),
    lastSeq: view.lastSeq,
    sandboxed: view.sandboxed,
    interactive: view.interactive,
    pendingApprovals: view.pendingApprovals.map((pending) => pending.approvalId),
    egress: { allowed: view.egress.allowed, denied: view.egress.denied },
    processes: view.processes,
    ...(view.usage ? { usage: view.usage } : {}),
    ...(view.patch === undefined ? {} : { patch: view.patch }),
    ...(view.branch === undefined ? {} : { branch: view.branch }),
    ...(view.base === undefined ? {} : { base: view.base }),
  };
}
