/** The one door to the store: from where the database is to an engine that is ready. */
import type { CommitObserver } from './commit-report.ts'
import { openPostgresStore } from './postgres-store.ts'
import { openSqliteStore } from './sqlite-store.ts'
import type { Store } from './store.ts'

/** What `MINISEAL_DATABASE` says, parsed. */
export type DatabaseLocation =
  /** A file, made with its folder when absent; `:memory:` for one that dies with the process. */
  | { readonly kind: 'sqlite'; readonly path: string }
  /** A `postgres://` URL; the tables live in the first schema of its `search_path`. */
  | { readonly kind: 'postgres'; readonly url: string }

export interface StoreOptions {
  /** Told of every transaction that writes. */
  readonly onCommit?: CommitObserver
  /**
   * All reads see one moment of the database, that of the first one, whatever others write meanwhile; commits fail. For
   * whoever compares tables with each other, and then closes.
   */
  readonly isSnapshot?: boolean
}

/**
 * Opens the database and applies the migrations it lacks. Any number of processes may do so at once.
 *
 * @throws StoreUnavailable when it cannot be reached, cannot be migrated, or cannot promise durable commits.
 */
export async function openStore(database: DatabaseLocation, options: StoreOptions = {}): Promise<Store> {
  switch (database.kind) {
    case 'sqlite':
      return await openSqliteStore(database.path, options)
    case 'postgres':
      return await openPostgresStore(database.url, options)
  }
}

/**
 * Reads `MINISEAL_DATABASE`.
 *
 * @throws Error for the operator, which does not quote the URL: it may hold a password.
 */
export function parseDatabase(text: string): DatabaseLocation {
  if (text.startsWith('sqlite:') && text.length > 'sqlite:'.length)
    return { kind: 'sqlite', path: text.slice(7) }
  if (/^postgres(ql)?:\/\//.test(text)) return { kind: 'postgres', url: text }
  throw new Error('MINISEAL_DATABASE must be sqlite:PATH, sqlite::memory: or postgres://…')
}
