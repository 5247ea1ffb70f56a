/** Opens the store that `MINISEAL_DATABASE` names. */
import { openPostgresStore, type PostgresConnections } from './postgres/store.ts'
import { openSqliteStore } from './sqlite/store.ts'
import type { Store, StoreOptions } from './store.ts'

/** The database of a service, parsed from its variables. */
export type DatabaseLocation =
  /** A file, created with its folder when absent; `:memory:` for a database that ends with the process. */
  | { readonly kind: 'sqlite'; readonly path: string }
  /** A `postgres://` URL; the tables live in the first schema of its `search_path`. */
  | ({ readonly kind: 'postgres'; readonly url: string } & PostgresConnections)

/**
 * Opens the database and applies pending migrations. Any number of processes may do so at once.
 *
 * @throws StoreUnavailable when it cannot be reached, cannot be migrated, or cannot guarantee durable commits.
 */
export async function openStore(database: DatabaseLocation, options: StoreOptions = {}): Promise<Store> {
  switch (database.kind) {
    case 'sqlite':
      return await openSqliteStore(database.path, options)
    case 'postgres':
      return await openPostgresStore(database.url, { ...database, ...options })
  }
}

/** Whether the database ends with the process. */
export function isInMemory(database: DatabaseLocation): boolean {
  return database.kind === 'sqlite' && database.path === ':memory:'
}

/** The environment variables of the database. */
export interface DatabaseVariables {
  readonly MINISEAL_DATABASE: string
  readonly MINISEAL_POSTGRES_POOL?: string | undefined
  readonly MINISEAL_POSTGRES_DIRECT_URL?: string | undefined
}

const postgresUrl = /^postgres(ql)?:\/\//

/** @throws Error for the operator. It does not quote a URL, which may contain a password. */
export function parseDatabase(variables: DatabaseVariables): DatabaseLocation {
  const {
    MINISEAL_DATABASE: text,
    MINISEAL_POSTGRES_POOL: pool,
    MINISEAL_POSTGRES_DIRECT_URL: direct,
  } = variables
  // better-sqlite3 trims the name, and opens a database in memory for an empty one.
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
