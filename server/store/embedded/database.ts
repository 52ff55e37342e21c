import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'libsql';
import { CaissonError } from '../../../shared/protocol/errors.ts';

/** A prepared statement whose rows are the value of their only column. */
interface Statement {
  run(...parameters: readonly (string | number)[]): { changes: number };
  all(...parameters: readonly (string | number)[]): unknown[];
}

export interface EmbeddedDatabase {
  prepare(sql: string): Statement;
  execute(sql: string): void;
  /** Runs `work` in one transaction, which is durable when this returns and has left no trace when it throws. */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Statements are few, since values are always parameters; this only bounds a mistake. */
const MAX_STATEMENTS = 500;

/**
 * Opens the encrypted database file, creating it (mode 0600) where there is none. Only one process may have it open: it
 * holds an exclusive lock on `<file>.lock`, itself an empty database, for as long as it lives. The lock is the kernel's
 * (fcntl), so it vanishes with the process and is never stale. It is not on the database file because POSIX drops such
 * locks when the process closes any descriptor of the file, as a backup that copies it would.
 * @throws {CaissonError} `conflict` when another process has it open, `unavailable` when it cannot be opened, `internal`
 *   when the key does not fit or the file is damaged
 */
export function openDatabase(file: string, encryptionKey: string): EmbeddedDatabase {
  prepareFile(file);
  const lock = acquireLock(file);
  try {
    const database = openEncrypted(file, encryptionKey);
    return wrap(database, () => {
      lock.exec('ROLLBACK');
      lock.close();
    });
  } catch (error) {
    lock.exec('ROLLBACK');
    lock.close();
    throw error;
  }
}

function prepareFile(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    // SQLite creates files that others may read, and gives -wal and -shm the mode of the database.
    closeSync(openSync(file, 'a', 0o600));
    chmodSync(file, 0o600);
  } catch (cause) {
    throw new CaissonError('unavailable', `The database ${file} cannot be written: ${String(cause)}`, { cause });
  }
}

function acquireLock(file: string): Database.Database {
  const lock = new Database(`${file}.lock`);
  try {
    lock.exec('BEGIN EXCLUSIVE');
    return lock;
  } catch (cause) {
    lock.close();
    if (codeOf(cause).startsWith('SQLITE_BUSY')) {
      throw new CaissonError(
        'conflict',
        `Another Caisson server has ${file} open. Stop it, or use another data directory.`,
      );
    }
    throw storeError(cause, `lock ${file}`);
  }
}

function openEncrypted(file: string, encryptionKey: string): Database.Database {
  // The published types lack the two options that README.md of libsql documents.
  const options = { encryptionCipher: 'aes256cbc', encryptionKey } as Database.Options;
  const database = new Database(file, options);
  try {
    const mode = database.prepare('PRAGMA journal_mode = WAL').pluck().all()[0];
    if (mode !== 'wal')
      throw new CaissonError('unavailable', `${file} lies on a file system without write-ahead logs.`);
    // FULL syncs the log at every commit: a resolved write survives power loss (https://sqlite.org/pragma.html#pragma_synchronous).
    database.exec('PRAGMA synchronous = FULL');
    // A deleted row, a destroyed data key above all, is overwritten with zeros.
    database.exec('PRAGMA secure_delete = ON');
    // 16 MiB of pages. Each page that is not in the cache is decrypted when it is read, which costs some 40 µs.
    database.exec('PRAGMA cache_size = -16384');
    database.prepare('SELECT count(*) FROM sqlite_master').pluck().all();
    return database;
  } catch (cause) {
    database.close();
    if (codeOf(cause) === 'SQLITE_NOTADB') {
      throw new CaissonError('internal', `${file} does not open with this master key, or it is damaged.`, { cause });
    }
    throw storeError(cause, `open ${file}`);
  }
}

function wrap(database: Database.Database, release: () => void): EmbeddedDatabase {
  const statements = new Map<string, Statement>();
  let closed = false;
  const execute = (sql: string): void => void database.exec(sql);
  return {
    execute,
    prepare(sql) {
      const known = statements.get(sql);
      if (known) return known;
      if (statements.size >= MAX_STATEMENTS) statements.clear();
      const prepared = database.prepare<(string | number)[]>(sql);
      const statement = prepared.reader ? prepared.pluck() : prepared;
      statements.set(sql, statement);
      return statement;
    },
    transaction(work) {
      execute('BEGIN IMMEDIATE');
      try {
        const result = work();
        execute('COMMIT');
        return result;
      } catch (error) {
        // SQLite itself rolls back on a full disk and on some I/O errors (https://sqlite.org/lang_transaction.html).
        if (database.inTransaction) execute('ROLLBACK');
        throw error;
      }
    },
    close() {
      if (closed) return;
      closed = true;
      statements.clear();
      try {
        database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
        database.close();
      } finally {
        release();
      }
    },
  };
}

function codeOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : '';
}

/** What went wrong in the database, in the words of the protocol. `doing` says what was tried: «insert into runs». */
export function storeError(error: unknown, doing: string): CaissonError {
  if (error instanceof CaissonError) return error;
  const code = codeOf(error);
  if (code.startsWith('SQLITE_CONSTRAINT')) {
    return new CaissonError('conflict', `Could not ${doing}: one with the same identity exists.`, { cause: error });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new CaissonError('unavailable', `Could not ${doing}: ${detail}.`, { cause: error });
}
