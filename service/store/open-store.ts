/** The one door to the store: from where the database is to an engine that is ready. */
import type { CommitObserver } from './commit-report.ts'
import { openPostgresStore } from './postgres/store.ts'
import { openSqliteStore } from './sqlite/store.ts'
import type { Store } from './store.ts'

/** What `MINISEAL_DATABASE` says, parsed. */
export type DatabaseLocation =
  /** A file, made with its folder when absent; `:memory:` for one that dies with the process. */
  | { readonly kind: 'sqlite'; readonly path: string }
  /** A `postgres://` URL; the tables live in the first schema of its `search_path`. */
  | ({ readonly kind: 'postgres'; readonly url: string } & PostgresConnections)

/** How a service connects to PostgreSQL besides its URL. */
export interface PostgresConnections {
  /** Connections of a process, besides the one that listens. */
  readonly poolSize?: number
  /** Past a pooler, to the same database: for migrations, and to listen. */
  readonly directUrl?: string
}

export interface StoreOptions {
  /** Told of every transaction that writes. */
  readonly onCommit?: CommitObserver
  /** SQLite: told once when the disk failed, or the file was removed or replaced. Nothing is taken until it is opened anew. */
  readonly onLost?: (error: unknown) => void
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
      return await openPostgresStore(database.url, { ...database, ...options })
  }
}

/** The variables that say where the database is. */
export interface DatabaseVariables {
  readonly MINISEAL_DATABASE: string
  readonly MINISEAL_POSTGRES_POOL?: string | undefined
  readonly MINISEAL_POSTGRES_DIRECT_URL?: string | undefined
}

const postgresUrl = /^postgres(ql)?:\/\//

/**
 * Reads where the database is.
 *
 * @throws Error for the operator, which does not quote a URL: it may hold a password.
 */
export function parseDatabase(variables: DatabaseVariables): DatabaseLocation {
  const {
    MINISEAL_DATABASE: text,
    MINISEAL_POSTGRES_POOL: pool,
    MINISEAL_POSTGRES_DIRECT_URL: direct,
  } = variables
  // better-sqlite3 does without the blanks around a name, and takes none for a database in memory.
  const path = text.startsWith('sqlite:') ? text.slice('sqlite:'.length).trim() : ''
  if (path !== '') {
    if (pool !== undefined || direct !== undefined)
      throw new Error('MINISEAL_POSTGRES_POOL and MINISEAL_POSTGRES_DIRECT_URL are for PostgreSQL only')
    return { kind: 'sqlite', path }
  }
  if (postgresUrl.test(text)) return { kind: 'postgres', url: text, ...parseConnections(pool, direct) }
  throw new Error('MINISEAL_DATABASE must be sqlite:PATH, sqlite::memory: or postgres://…')
}

function parseConnections(pool: string | undefined, directUrl: string | undefined): PostgresConnections {
  if (pool !== undefined && !/^(?:[2-9]|[1-9][0-9]{1,2})$/.test(pool))
    throw new Error('MINISEAL_POSTGRES_POOL must be a whole number from 2 to 999')
  if (directUrl !== undefined && !postgresUrl.test(directUrl))
    throw new Error('MINISEAL_POSTGRES_DIRECT_URL must be postgres://…')
  return {
    ...(pool === undefined ? {} : { poolSize: Number(pool) }),
    ...(directUrl === undefined ? {} : { directUrl }),
  }
}
