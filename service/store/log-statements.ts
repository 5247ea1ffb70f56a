/** The writes on the log, compiled: leaves staged, a log begun, checkpoints signed and cosigned. */
import { and, eq, isNull, ne, type SQL, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type {
  AuthenticatedPendingEntry,
  HourlyCount,
  LogEntry,
  LogState,
  PendingEntry,
  TileRecord,
  WitnessRecord,
} from './log-records.ts'
import type { LogWrite } from './log-writes.ts'
import type { WriteOf } from './store.ts'
import type { Tables } from './tables.ts'

/** Compiles every {@link LogWrite}. */
export function compileLog(queries: Queries, tables: Tables): { readonly [K in LogWrite['kind']]: Compiled } {
  return {
    ...compileStaging(queries, tables),
    ...compileStart(queries, tables),
    ...compileFirst(queries, tables),
    ...compileCheckpoints(queries, tables),
    ...compileWitnesses(queries, tables),
  }
}

/** The columns of a leaf, each bound by its own name. */
function leafSlots() {
  const leaf = slotsOf<PendingEntry>()
  return {
    id: leaf('id'),
    hash: leaf('hash'),
    leaf: leaf('leaf'),
    at: leaf('at'),
    kind: leaf('kind'),
    result: leaf('result'),
    code: leaf('code'),
    app: leaf('app'),
    userBlindIndex: leaf('userBlindIndex'),
    deviceBlindIndex: leaf('deviceBlindIndex'),
    ipBlindIndex: leaf('ipBlindIndex'),
    pathBlindIndex: leaf('pathBlindIndex'),
    areaBlindIndex: leaf('areaBlindIndex'),
    detail: leaf('detail'),
    detailExpiresAt: leaf('detailExpiresAt'),
  }
}

function compileStaging(queries: Queries, { tlogPending }: Tables) {
  const stage = queries
    .insert(tlogPending)
    .values({ ...leafSlots(), mac: slotsOf<AuthenticatedPendingEntry>()('mac') })
    .onConflictDoNothing()
    .returning({ touched: tlogPending.at })
  return { 'insert-pending-entry': compile(stage) }
}

function compileStart(queries: Queries, { tlogStates, tlogEntries }: Tables) {
  const locked = slotsOf<WriteOf<'lock-log-state'>>()
  const state = slotsOf<LogState>()
  const entry = slotsOf<LogEntry>()
  return {
    'lock-log-state': compile(
      queries
        .update(tlogStates)
        .set({ size: sql`${tlogStates.size}` })
        .where(
          and(
            eq(tlogStates.log, locked('log')),
            eq(tlogStates.size, locked('size')),
            eq(tlogStates.root, locked('root')),
          ),
        )
        .returning({ touched: tlogStates.log }),
    ),
    'insert-log-state': compile(
      queries
        .insert(tlogStates)
        .values({
          log: state('log'),
          origin: state('origin'),
          size: state('size'),
          root: state('root'),
          mac: state('mac'),
        })
        .onConflictDoNothing()
        .returning({ touched: tlogStates.log }),
    ),
    'insert-log-entry': compile(
      queries
        .insert(tlogEntries)
        .values({ globalIndex: entry('globalIndex'), ...leafSlots() })
        .onConflictDoNothing()
        .returning({ touched: tlogEntries.globalIndex }),
    ),
  }
}

function compileFirst(queries: Queries, { tlogTiles, tlogHourlyCounts }: Tables) {
  const tile = slotsOf<TileRecord>()
  const hour = slotsOf<HourlyCount>()
  return {
    'insert-tile': compile(
      queries
        .insert(tlogTiles)
        .values({ log: tile('log'), level: tile('level'), index: tile('index'), hashes: tile('hashes') })
        .onConflictDoNothing()
        .returning({ touched: tlogTiles.log }),
    ),
    'add-hour-count': compile(
      queries
        .insert(tlogHourlyCounts)
        .values({
          hour: hour('hour'),
          kind: hour('kind'),
          result: hour('result'),
          code: hour('code'),
          entries: hour('entries'),
        })
        .onConflictDoUpdate({
          target: [
            tlogHourlyCounts.hour,
            tlogHourlyCounts.kind,
            tlogHourlyCounts.result,
            tlogHourlyCounts.code,
          ],
          set: { entries: sql`${tlogHourlyCounts.entries} + excluded.entries` },
        })
        .returning({ touched: tlogHourlyCounts.hour }),
    ),
  }
}

function compileCheckpoints(queries: Queries, { tlogCheckpoints }: Tables) {
  const made = slotsOf<WriteOf<'insert-checkpoint'>>()
  const again = slotsOf<WriteOf<'reissue-checkpoint'>>()
  const swap = slotsOf<WriteOf<'swap-cosignatures'>>()
  const stamped = slotsOf<WriteOf<'set-timestamp'>>()
  const thinned = slotsOf<WriteOf<'delete-checkpoint'>>()
  const touched = { touched: tlogCheckpoints.size }
  const ofSize = and(eq(tlogCheckpoints.log, made('log')), eq(tlogCheckpoints.size, made('size')))
  const update = (values: Record<string, unknown>, condition: SQL) =>
    compile(queries.update(tlogCheckpoints).set(values).where(and(ofSize, condition)).returning(touched))
  return {
    'insert-checkpoint': compile(
      queries
        .insert(tlogCheckpoints)
        .values({
          log: made('log'),
          size: made('size'),
          signedAt: made('signedAt'),
          note: made('note'),
          cosignatures: '',
          timestampToken: null,
        })
        .onConflictDoNothing()
        .returning(touched),
    ),
    'reissue-checkpoint': update(
      { signedAt: sql`${again('signedAt')}`, note: sql`${again('note')}` },
      eq(tlogCheckpoints.signedAt, again('signedBefore')),
    ),
    'request-checkpoint-reissue': update({ signedAt: 0 }, ne(tlogCheckpoints.signedAt, 0)),
    'swap-cosignatures': update(
      { cosignatures: sql`${swap('to')}` },
      eq(tlogCheckpoints.cosignatures, swap('from')),
    ),
    'delete-checkpoint': compile(
      queries
        .delete(tlogCheckpoints)
        .where(
          and(
            ofSize,
            eq(tlogCheckpoints.signedAt, thinned('signedAt')),
            isNull(tlogCheckpoints.timestampToken),
          ),
        )
        .returning(touched),
    ),
    'set-timestamp': update(
      { timestampToken: sql`${stamped('token')}` },
      isNull(tlogCheckpoints.timestampToken),
    ),
  }
}

function compileWitnesses(queries: Queries, { tlogWitnesses }: Tables) {
  const witness = slotsOf<WitnessRecord>()
  const put = queries
    .insert(tlogWitnesses)
    .values({
      name: witness('name'),
      log: witness('log'),
      size: witness('size'),
      cosignedAt: witness('cosignedAt'),
      triedAt: witness('triedAt'),
      failure: witness('failure'),
    })
    .onConflictDoUpdate({
      target: tlogWitnesses.name,
      set: {
        log: sql`excluded.log`,
        size: sql`excluded.size`,
        cosignedAt: sql`excluded.cosigned_at`,
        triedAt: sql`excluded.tried_at`,
        failure: sql`excluded.failure`,
      },
    })
    .returning({ touched: tlogWitnesses.name })
  return { 'upsert-witness': compile(put) }
}
