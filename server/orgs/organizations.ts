import type { Member } from '../../shared/protocol/rest.ts';
import { newId } from '../base/ids.ts';
import type { Clock } from '../base/clock.ts';
import type { Collection, Store } from '../store/port.ts';
import type { Role } from '../auth/identity.ts';

/** The tenant and its people. One organization with one owner exists from the first start on; accounts come later. */
export interface OrganizationDoc {
  readonly _id: string;
  readonly name: string;
  /** The organization's data key, wrapped by the master key (see server/vault). */
  readonly wrappedKey: string;
  readonly createdAt: string;
}

export interface MemberDoc {
  readonly _id: string;
  readonly organizationId: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: string;
}

export class Organizations {
  readonly #organizations: Collection<OrganizationDoc>;
  readonly #members: Collection<MemberDoc>;
  readonly #clock: Clock;

  constructor(store: Store, clock: Clock) {
    this.#organizations = store.collection('organizations');
    this.#members = store.collection('members');
    this.#clock = clock;
  }

  async first(): Promise<OrganizationDoc | null> {
    return this.#organizations.findOne({});
  }

  async get(organizationId: string): Promise<OrganizationDoc | null> {
    return this.#organizations.findOne({ _id: organizationId });
  }

  async member(memberId: string): Promise<MemberDoc | null> {
    return this.#members.findOne({ _id: memberId });
  }

  /** In the order in which they came. */
  async members(
    organizationId: string,
    limit: number,
    cursor: string | undefined,
  ): Promise<{ items: Member[]; nextCursor?: string }> {
    const filter = { organizationId, ...(cursor === undefined ? {} : { _id: { $gt: cursor } }) };
    const docs = await this.#members.find(filter, { sort: { _id: 1 }, limit: limit + 1 }).toArray();
    const items = docs.slice(0, limit).map(({ _id, name, role }) => ({ id: _id, name, role }));
    const last = items.at(-1);
    return docs.length > limit && last ? { items, nextCursor: last.id } : { items };
  }

  async create(name: string, wrappedKey: string): Promise<OrganizationDoc> {
    const doc = { _id: newId('org'), name, wrappedKey, createdAt: this.#clock.now().toISOString() };
    await this.#organizations.insertOne(doc);
    return doc;
  }

  async addMember(organizationId: string, name: string, role: Role): Promise<MemberDoc> {
    const doc = { _id: newId('mem'), organizationId, name, role, createdAt: this.#clock.now().toISOString() };
    await this.#members.insertOne(doc);
    return doc;
  }
}
