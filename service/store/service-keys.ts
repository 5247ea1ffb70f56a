/** The service's own keys. */
import { and, asc, eq, gt, lt, or, type SQL, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  type PruneStep,
  prepareRead,
  rowSlots,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type ServiceKeyKind = 'root' | 'agreement' | 'signing' | 'token' | 'log' | 'lookup'

export type ServiceKeyTables = ReturnType<typeof defineServiceKeys>

export function defineServiceKeys({ table, text, seconds, bytes, primaryKey }: ColumnKit) {
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
  /** Sets when the key comes into use. Refused when there is no such key, or when it has an end. */
  | WriteData<'activate-service-key', { keyKind: ServiceKeyKind; kid: string; notBefore: number }>
  /** Sets the end of a key. Refused when there is no such key, or when it has an end: the first one stays. */
  | WriteData<'retire-service-key', { keyKind: ServiceKeyKind; kid: string; notAfter: number }>
  /** Ends a key at once, even one with a later end. Refused when there is no such key, or when it has ended. */
  | WriteData<'revoke-service-key', { keyKind: ServiceKeyKind; kid: string; now: number }>

type WriteOf<K extends ServiceKeyWrite['kind']> = Extract<ServiceKeyWrite, { readonly kind: K }>

export function defineServiceKeyWrites({
  queries,
  tables: { serviceKeys },
}: Engine<ServiceKeyTables>): WriteDefinitions<ServiceKeyWrite> {
  const slot = slotsOf<
    WriteOf<'activate-service-key'> & WriteOf<'retire-service-key'> & WriteOf<'revoke-service-key'>
  >()
  const touched = { touched: serviceKeys.kid }
  const insert = compile(
    queries.insert(serviceKeys).values(rowSlots(serviceKeys)).onConflictDoNothing().returning(touched),
  )
  const isOne = and(eq(serviceKeys.kind, slot('keyKind')), eq(serviceKeys.kid, slot('kid')))
  const hasNoEnd = eq(serviceKeys.notAfter, 0)
  const update = (values: Record<string, SQL>, condition: SQL | undefined) =>
    compile(queries.update(serviceKeys).set(values).where(and(isOne, condition)).returning(touched))
  return {
    'insert-service-key': { bind: ({ key }) => insert(key) },
    'activate-service-key': { bind: update({ notBefore: sql`${slot('notBefore')}` }, hasNoEnd) },
    'retire-service-key': { bind: update({ notAfter: sql`${slot('notAfter')}` }, hasNoEnd) },
    'revoke-service-key': {
      bind: update({ notAfter: sql`${slot('now')}` }, or(hasNoEnd, gt(serviceKeys.notAfter, slot('now')))),
    },
  }
}

export interface ServiceKeyReads {
  /** All keys, in the order of their creation. */
  listServiceKeys(): Promise<readonly ServiceKeyRecord[]>
}

export function prepareServiceKeyReads(engine: Engine<ServiceKeyTables>): ServiceKeyReads {
  const { serviceKeys } = engine.tables
  const all = prepareRead(
    engine,
    engine.queries
      .select()
      .from(serviceKeys)
      .orderBy(asc(serviceKeys.createdAt), asc(serviceKeys.kind), asc(serviceKeys.kid)),
  )
  return { listServiceKeys: () => all() }
}

/** An ended agreement key can only decrypt recorded traffic, so it is erased. */
export function compileServiceKeyPruning({
  queries,
  tables,
}: Engine<ServiceKeyTables>): readonly PruneStep[] {
  const { serviceKeys } = tables
  const slot = slotsOf<{ before: number }>()
  const prune = compile(
    queries
      .delete(serviceKeys)
      .where(
        and(
          eq(serviceKeys.kind, 'agreement'),
          gt(serviceKeys.notAfter, 0),
          lt(serviceKeys.notAfter, slot('before')),
        ),
      )
      .returning({ touched: serviceKeys.kid }),
  )
  return [(now) => prune({ before: now })]
}
