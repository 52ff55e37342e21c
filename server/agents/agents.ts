import { CaissonError } from '../../shared/protocol/errors.ts';
import type { Agent, AgentInput } from '../../shared/protocol/rest.ts';
import type { Clock } from '../base/clock.ts';
import { newId } from '../base/ids.ts';
import type { Collection, Store } from '../store/port.ts';
import { BUILT_IN_AGENTS, isAvailable } from './catalog.ts';

/** Who can work: the built-in agents of the catalog and the organization's own ACP commands. */
interface AgentDoc extends AgentInput {
  readonly _id: string;
  readonly organizationId: string;
  readonly createdAt: string;
}

export class Agents {
  readonly #docs: Collection<AgentDoc>;
  readonly #clock: Clock;
  readonly #packs: string;

  private constructor(docs: Collection<AgentDoc>, clock: Clock, packs: string) {
    this.#docs = docs;
    this.#clock = clock;
    this.#packs = packs;
  }

  static async open(store: Store, clock: Clock, packs: string): Promise<Agents> {
    const docs = store.collection<AgentDoc>('agents');
    await docs.createIndex({ organizationId: 1, name: 1 }, { unique: true });
    return new Agents(docs, clock, packs);
  }

  async list(organizationId: string): Promise<Agent[]> {
    const docs = await this.#docs.find({ organizationId }, { sort: { name: 1 } }).toArray();
    const builtIn = await Promise.all(BUILT_IN_AGENTS.map((agent) => this.#withAvailability(agent)));
    return [...builtIn, ...docs.map(toAgent)];
  }

  async get(organizationId: string, idOrName: string): Promise<Agent> {
    const builtIn = BUILT_IN_AGENTS.find((agent) => agent.id === idOrName || agent.name === idOrName);
    if (builtIn) return this.#withAvailability(builtIn);
    return toAgent(await this.#find(organizationId, idOrName));
  }

  async create(organizationId: string, input: AgentInput): Promise<Agent> {
    const taken =
      BUILT_IN_AGENTS.some((agent) => agent.name === input.name) ||
      (await this.#docs.findOne({ organizationId, name: input.name }));
    if (taken) throw new CaissonError('conflict', `There is already an agent named ${input.name}.`);
    const doc: AgentDoc = { ...input, _id: newId('agt'), organizationId, createdAt: this.#clock.now().toISOString() };
    await this.#docs.insertOne(doc);
    return toAgent(doc);
  }

  async update(
    organizationId: string,
    idOrName: string,
    patch: { readonly [K in keyof AgentInput]?: AgentInput[K] | undefined },
  ): Promise<Agent> {
    const found = await this.#find(organizationId, idOrName);
    const given = Object.entries(patch).filter(([, value]) => value !== undefined);
    if (given.length > 0) await this.#docs.updateOne({ _id: found._id }, { $set: Object.fromEntries(given) });
    return this.get(organizationId, found._id);
  }

  async delete(organizationId: string, idOrName: string): Promise<void> {
    const found = await this.#find(organizationId, idOrName);
    await this.#docs.deleteOne({ _id: found._id });
  }

  async #find(organizationId: string, idOrName: string): Promise<AgentDoc> {
    if (BUILT_IN_AGENTS.some((agent) => agent.id === idOrName || agent.name === idOrName)) {
      throw new CaissonError(
        'conflict',
        `${idOrName} is built in and cannot be changed. Create an agent of your own with its command instead.`,
      );
    }
    const doc = await this.#docs.findOne({ organizationId, $or: [{ _id: idOrName }, { name: idOrName }] });
    if (!doc)
      throw new CaissonError(
        'not_found',
        `There is no agent ${JSON.stringify(idOrName)}. \`caisson agents\` shows what there is.`,
      );
    return doc;
  }

  async #withAvailability(agent: Agent): Promise<Agent> {
    return { ...agent, available: await isAvailable(agent, this.#packs) };
  }
}

function toAgent(doc: AgentDoc): Agent {
  const { _id, organizationId: _organization, createdAt: _created, ...rest } = doc;
  return { id: _id, ...rest, kind: 'acp', builtIn: false, available: true };
}
