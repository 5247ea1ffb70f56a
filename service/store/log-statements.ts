/** The writes on the log, compiled: leaves staged, a log begun, checkpoints signed and cosigned. */
import { and, eq, isNull, ne, type SQL, sql } from 'drizzle-orm'
import { type Compiled, compile, type Queries, slotsOf } from './compile.ts'
import type {
  HourCount,
  LogEntry,
  LogState,
  PendingEntry,
  SealedPendingEntry,
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
    userTag: leaf('userTag'),
    deviceTag: leaf('deviceTag'),
    ipTag: leaf('ipTag'),
    pathTag: leaf('pathTag'),
    areaTag: leaf('areaTag'),
    detail: leaf('detail'),
    detailUntil: leaf('detailUntil'),
  }
}

function compileStaging(queries: Queries, { logStaged }: Tables) {
  const stage = queries
    .insert(logStaged)
    .values({ ...leafSlots(), seal: slotsOf<SealedPendingEntry>()('seal') })
    .onConflictDoNothing()
    .returning({ touched: logStaged.at })
  return { 'stage-leaf': compile(stage) }
}

function compileStart(queries: Queries, { logStates, logEntries }: Tables) {
  const locked = slotsOf<WriteOf<'hold-log'>>()
  const state = slotsOf<LogState>()
  const entry = slotsOf<LogEntry>()
  return {
    'hold-log': compile(
      queries
        .update(logStates)
        .set({ size: sql`${logStates.size}` })
        .where(
          and(
            eq(logStates.log, locked('log')),
            eq(logStates.size, locked('size')),
            eq(logStates.root, locked('root')),
          ),
        )
        .returning({ touched: logStates.log }),
    ),
    'insert-log-state': compile(
      queries
        .insert(logStates)
        .values({
          log: state('log'),
          origin: state('origin'),
          size: state('size'),
          root: state('root'),
          seal: state('seal'),
        })
        .onConflictDoNothing()
        .returning({ touched: logStates.log }),
    ),
    'insert-log-entry': compile(
      queries
        .insert(logEntries)
        .values({ place: entry('place'), ...leafSlots() })
        .onConflictDoNothing()
        .returning({ touched: logEntries.place }),
    ),
  }
}

function compileFirst(queries: Queries, { logTiles, logHours }: Tables) {
  const tile = slotsOf<TileRecord>()
  const hour = slotsOf<HourCount>()
  return {
    'insert-tile': compile(
      queries
        .insert(logTiles)
        .values({ log: tile('log'), level: tile('level'), index: tile('index'), hashes: tile('hashes') })
        .onConflictDoNothing()
        .returning({ touched: logTiles.log }),
    ),
    'add-hour-count': compile(
      queries
        .insert(logHours)
        .values({
          hour: hour('hour'),
          kind: hour('kind'),
          result: hour('result'),
          code: hour('code'),
          entries: hour('entries'),
        })
        .onConflictDoUpdate({
          target: [logHours.hour, logHours.kind, logHours.result, logHours.code],
          set: { entries: sql`${logHours.entries} + excluded.entries` },
        })
        .returning({ touched: logHours.hour }),
    ),
  }
}

function compileCheckpoints(queries: Queries, { logCheckpoints }: Tables) {
  const made = slotsOf<WriteOf<'insert-checkpoint'>>()
  const again = slotsOf<WriteOf<'reissue-checkpoint'>>()
  const swap = slotsOf<WriteOf<'swap-cosignatures'>>()
  const stamped = slotsOf<WriteOf<'put-timestamp'>>()
  const thinned = slotsOf<WriteOf<'thin-checkpoint'>>()
  const touched = { touched: logCheckpoints.size }
  const ofSize = and(eq(logCheckpoints.log, made('log')), eq(logCheckpoints.size, made('size')))
  const update = (values: Record<string, unknown>, condition: SQL) =>
    compile(queries.update(logCheckpoints).set(values).where(and(ofSize, condition)).returning(touched))
  return {
    'insert-checkpoint': compile(
      queries
        .insert(logCheckpoints)
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
      eq(logCheckpoints.signedAt, again('signedBefore')),
    ),
    'ask-checkpoint': update({ signedAt: 0 }, ne(logCheckpoints.signedAt, 0)),
    'swap-cosignatures': update(
      { cosignatures: sql`${swap('to')}` },
      eq(logCheckpoints.cosignatures, swap('from')),
    ),
    'thin-checkpoint': compile(
      queries
        .delete(logCheckpoints)
        .where(
          and(
            ofSize,
            eq(logCheckpoints.signedAt, thinned('signedAt')),
            isNull(logCheckpoints.timestampToken),
          ),
        )
        .returning(touched),
    ),
    'put-timestamp': update(
      { timestampToken: sql`${stamped('token')}` },
      isNull(logCheckpoints.timestampToken),
    ),
  }
}

function compileWitnesses(queries: Queries, { logWitnesses }: Tables) {
  const witness = slotsOf<WitnessRecord>()
  const put = queries
    .insert(logWitnesses)
    .values({
      name: witness('name'),
      log: witness('log'),
      size: witness('size'),
      cosignedAt: witness('cosignedAt'),
      triedAt: witness('triedAt'),
      failure: witness('failure'),
    })
    .onConflictDoUpdate({
      target: logWitnesses.name,
      set: {
        log: sql`excluded.log`,
        size: sql`excluded.size`,
        cosignedAt: sql`excluded.cosigned_at`,
        triedAt: sql`excluded.tried_at`,
        failure: sql`excluded.failure`,
      },
    })
    .returning({ touched: logWitnesses.name })
  return { 'put-witness': compile(put) }
}
