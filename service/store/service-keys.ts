/** The service's own keys. */
import { and, asc, eq, gt, lt, or, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileDelete,
  compileInsert,
  compileUpdate,
  type Engine,
  type PruneStep,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type ServiceKeyKind = 'root' | 'agreement' | 'signing' | 'token' | 'log' | 'lookup'

export type ServiceKeyTables = ReturnType<typeof defineTables>

export function defineTables({ table, text, seconds, bytes, primaryKey }: ColumnKit) {
  const serviceKeys = table(
    'service_keys',
    {
      kid: text('kid').notNull(),
      kind: text('kind').$type<ServiceKeyKind>().notNull(),
      publicKey: bytes('public_key').notNull(),
      secretWrapped: bytes('secret_wrapped').notNull(),
      notBefore: seconds('not_before').notNull(),
      /** 0: no end. */
      notAfter: seconds('not_after').notNull(),
      createdAt: seconds('created_at').notNull(),
    },
    (t) => [primaryKey({ name: 'service_keys_key', columns: [t.kind, t.kid] })],
  )
  return { serviceKeys }
}

export type ServiceKeyRecord = Readonly<ServiceKeyTables['serviceKeys']['$inferSelect']>

export type ServiceKeyWrite =
  /** Refused when this kind has this kid already. */
  | WriteData<'insert-service-key', { key: ServiceKeyRecord }>
  /** Sets the activation of a key. Refused when there is no such key, or when it has an end. */
  | WriteData<'activate-service-key', { keyKind: ServiceKeyKind; kid: string; notBefore: number }>
  /** Sets the end of a key. Refused when there is no such key, or when it has an end already. */
  | WriteData<'retire-service-key', { keyKind: ServiceKeyKind; kid: string; notAfter: number }>
  /** Ends a key at once, even one with a later end. Refused when there is no such key, or when it has ended. */
  | WriteData<'revoke-service-key', { keyKind: ServiceKeyKind; kid: string; now: number }>

export function defineWrites({
  queries,
  tables: { serviceKeys },
}: Engine<ServiceKeyTables>): WriteDefinitions<ServiceKeyWrite> {
  const slot = slotsOf<ServiceKeyWrite>()
  const insert = compileInsert(queries, serviceKeys)
  const isOne = and(eq(serviceKeys.kind, slot('keyKind')), eq(serviceKeys.kid, slot('kid')))
  const hasNoEnd = eq(serviceKeys.notAfter, 0)
  const isOpen = and(isOne, hasNoEnd)
  const hasNotEnded = and(isOne, or(hasNoEnd, gt(serviceKeys.notAfter, slot('now'))))
  return {
    'insert-service-key': { bind: ({ key }) => insert(key) },
    'activate-service-key': {
      bind: compileUpdate(queries, serviceKeys, { notBefore: slot('notBefore') }, isOpen),
    },
    'retire-service-key': {
      bind: compileUpdate(queries, serviceKeys, { notAfter: slot('notAfter') }, isOpen),
    },
    'revoke-service-key': {
      bind: compileUpdate(queries, serviceKeys, { notAfter: slot('now') }, hasNotEnded),
    },
  }
}

export interface ServiceKeyReads {
  /** All keys, in the order of their creation. */
  listServiceKeys(): Promise<readonly ServiceKeyRecord[]>
}

export function prepareReads(engine: Engine<ServiceKeyTables>): ServiceKeyReads {
  const { serviceKeys } = engine.tables
  const order = [asc(serviceKeys.createdAt), asc(serviceKeys.kind), asc(serviceKeys.kid)]
  return {
    listServiceKeys: readersOf(engine).rows(
      engine.queries
        .select()
        .from(serviceKeys)
        .orderBy(...order),
    ),
  }
}

/** An ended agreement key can only decrypt recorded traffic, so it is erased. */
export function compilePruning({
  queries,
  tables: {
    serviceKeys: { kind, notAfter },
    serviceKeys,
  },
}: Engine<ServiceKeyTables>): readonly PruneStep[] {
  const hasEnded = and(eq(kind, 'agreement'), gt(notAfter, 0), lt(notAfter, sql.placeholder('now')))
  const prune = compileDelete(queries, serviceKeys, hasEnded)
  return [(now) => prune({ now })]
}
