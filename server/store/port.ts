/**
 * The store, as the smallest subset of the MongoDB driver's `Db` and `Collection` that the server uses
 * (https://mongodb.github.io/node-mongodb-native): the driver itself fits this port, the embedded store implements it.
 * A write that has resolved is durable.
 */
export interface Document {
  readonly _id: string;
}

export type Scalar = string | number | boolean | null;

export interface Condition {
  $gt?: Scalar;
  $gte?: Scalar;
  $lt?: Scalar;
  $lte?: Scalar;
  $ne?: Scalar;
  $in?: readonly Scalar[];
  $exists?: boolean;
}

/**
 * Keys are field names, dots reach into objects. Several keys are joined by AND. `null` also matches a missing field, and
 * so does `$ne`; values of different types are neither equal nor ordered. Filter only on fields that hold scalars: what a
 * filter on a list matches differs between stores. `undefined` is refused, since it could mean everything or nothing.
 */
export type Filter = { [field: string]: Scalar | Condition | readonly Filter[] | undefined } & {
  $or?: readonly Filter[];
  $and?: readonly Filter[];
};

export interface Update {
  $set?: Record<string, unknown>;
  $unset?: Record<string, ''>;
  $inc?: Record<string, number>;
}

export type Sort = Record<string, 1 | -1>;

export interface FindOptions {
  sort?: Sort;
  /** At least 1. */
  limit?: number;
}

export interface Collection<T extends Document> {
  insertOne(document: T): Promise<unknown>;
  /** All or nothing, in one durable commit. */
  insertMany(documents: readonly T[]): Promise<unknown>;
  findOne(filter: Filter): Promise<T | null>;
  find(filter: Filter, options?: FindOptions): { toArray(): Promise<T[]> };
  updateOne(filter: Filter, update: Update): Promise<{ matchedCount: number }>;
  deleteOne(filter: Filter): Promise<{ deletedCount: number }>;
  deleteMany(filter: Filter): Promise<{ deletedCount: number }>;
  countDocuments(filter: Filter): Promise<number>;
  createIndex(keys: Sort, options?: { unique?: boolean }): Promise<unknown>;
}

export interface Store {
  collection<T extends Document>(name: string): Collection<T>;
  close(): Promise<void>;
}
