import type { Collection, Document, Store } from '../port.ts';
import { createCollection } from './collection.ts';
import { openDatabase } from './database.ts';

/**
 * The store in one encrypted file (AES-256, SQLite's write-ahead log): what a server on one machine needs. See
 * openDatabase for what keeps two servers apart and for the errors of opening.
 * @param options.encryptionKey the vault's `databaseKey`
 */
export async function openEmbeddedStore(options: { file: string; encryptionKey: string }): Promise<Store> {
  const database = openDatabase(options.file, options.encryptionKey);
  const collections = new Map<string, Collection<Document>>();
  return {
    collection<T extends Document>(name: string): Collection<T> {
      const known = collections.get(name) ?? createCollection(database, name);
      collections.set(name, known);
      // The one place where a collection is given its type: documents are parsed by whoever reads them.
      return known as unknown as Collection<T>;
    },
    async close() {
      database.close();
    },
  };
}
