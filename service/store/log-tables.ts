/** The tables of the audit log, once for both engines. */
import { sql } from 'drizzle-orm'
import type { AuditorRole, LeafResult } from './log-records.ts'
import type { ColumnKit } from './tables.ts'

/** Staged leaves, entries with their places, the tree, and who reads them. */
export function defineLog(kit: ColumnKit) {
  return { ...defineLeaves(kit), ...defineTree(kit), ...defineLogPeople(kit) }
}

/** The columns of a leaf, the same before and after it has its place. */
function leafColumns({ text, bytes, count, seconds }: ColumnKit) {
  return {
    id: bytes('id').notNull(),
    hash: bytes('hash').notNull(),
    leaf: bytes('leaf').notNull(),
    at: count('at').notNull(),
    kind: text('kind').notNull(),
    result: text('result').$type<LeafResult>().notNull(),
    code: text('code'),
    app: text('app'),
    userBlindIndex: bytes('user_blind_index'),
    deviceBlindIndex: bytes('device_blind_index'),
    ipBlindIndex: bytes('ip_blind_index'),
    pathBlindIndex: bytes('path_blind_index'),
    areaBlindIndex: bytes('area_blind_index'),
    detail: bytes('detail'),
    detailExpiresAt: seconds('detail_expires_at').notNull(),
  }
}

function defineLeaves(kit: ColumnKit) {
  const { table, bytes, count, seconds, index, uniqueIndex, primaryKey, check } = kit
  // Few rows at any time, so no index but the key: what is found by tags has a place already.
  const tlogPending = table('tlog_pending', { ...leafColumns(kit), mac: bytes('mac') }, (t) => [
    primaryKey({ name: 'tlog_pending_key', columns: [t.id] }),
    check('tlog_pending_hash_length', sql`length(${t.hash}) = 32`),
  ])
  const tlogEntries = table(
    'tlog_entries',
    { globalIndex: count('global_index').primaryKey(), ...leafColumns(kit) },
    (t) => [
      uniqueIndex('tlog_entries_id').on(t.id),
      uniqueIndex('tlog_entries_hash').on(t.hash),
      index('tlog_entries_at').on(t.at),
      index('tlog_entries_kind').on(t.kind, t.globalIndex),
      index('tlog_entries_result').on(t.result, t.globalIndex).where(sql`result <> 'ok'`),
      index('tlog_entries_code').on(t.code, t.globalIndex).where(sql`code is not null`),
      index('tlog_entries_user').on(t.userBlindIndex, t.globalIndex).where(sql`user_blind_index is not null`),
      index('tlog_entries_device')
        .on(t.deviceBlindIndex, t.globalIndex)
        .where(sql`device_blind_index is not null`),
      index('tlog_entries_ip').on(t.ipBlindIndex, t.globalIndex).where(sql`ip_blind_index is not null`),
      index('tlog_entries_path').on(t.pathBlindIndex, t.globalIndex).where(sql`path_blind_index is not null`),
      index('tlog_entries_area').on(t.areaBlindIndex, t.globalIndex).where(sql`area_blind_index is not null`),
      index('tlog_entries_until').on(t.detailExpiresAt).where(sql`detail is not null`),
    ],
  )
  const tlogIntents = table(
    'tlog_intents',
    {
      id: bytes('id').primaryKey(),
      userBlindIndex: bytes('user_blind_index'),
      draft: bytes('draft').notNull(),
      startedAt: seconds('started_at').notNull(),
    },
    (t) => [index('tlog_intents_started').on(t.startedAt)],
  )
  return { tlogPending, tlogEntries, tlogIntents }
}

function defineTree({ table, text, bytes, count, seconds, primaryKey, check }: ColumnKit) {
  const tlogStates = table(
    'tlog_states',
    {
      log: count('log').primaryKey(),
      origin: text('origin').notNull(),
      size: count('size').notNull(),
      root: bytes('root').notNull(),
      mac: bytes('mac'),
    },
    (t) => [check('tlog_states_root_length', sql`length(${t.root}) = 32`)],
  )
  const tlogTiles = table(
    'tlog_tiles',
    {
      log: count('log').notNull(),
      level: count('level').notNull(),
      index: count('tile_index').notNull(),
      hashes: bytes('hashes').notNull(),
    },
    (t) => [primaryKey({ name: 'tlog_tiles_key', columns: [t.log, t.level, t.index] })],
  )
  const tlogCheckpoints = table(
    'tlog_checkpoints',
    {
      log: count('log').notNull(),
      size: count('size').notNull(),
      signedAt: seconds('signed_at').notNull(),
      note: text('note').notNull(),
      cosignatures: text('cosignatures').notNull(),
      timestampToken: bytes('timestamp_token'),
    },
    (t) => [primaryKey({ name: 'tlog_checkpoints_key', columns: [t.log, t.size] })],
  )
  const tlogWitnesses = table('tlog_witnesses', {
    name: text('name').primaryKey(),
    log: count('log').notNull(),
    size: count('size').notNull(),
    cosignedAt: seconds('cosigned_at'),
    triedAt: seconds('tried_at').notNull(),
    failure: text('failure'),
  })
  const tlogHourlyCounts = table(
    'tlog_hourly_counts',
    {
      hour: seconds('hour').notNull(),
      kind: text('kind').notNull(),
      result: text('result').$type<LeafResult>().notNull(),
      code: text('code').notNull(),
      entries: count('entries').notNull(),
    },
    (t) => [primaryKey({ name: 'tlog_hourly_counts_key', columns: [t.hour, t.kind, t.result, t.code] })],
  )
  return { tlogStates, tlogTiles, tlogCheckpoints, tlogWitnesses, tlogHourlyCounts }
}

function defineLogPeople({ table, text, bytes, seconds, check }: ColumnKit) {
  const subjectKeys = table('subject_keys', {
    subjectIndex: bytes('subject_index').primaryKey(),
    keyWrapped: bytes('key_wrapped').notNull(),
    createdAt: seconds('created_at').notNull(),
  })
  const auditors = table(
    'auditors',
    {
      name: text('name').primaryKey(),
      tokenHash: bytes('token_hash').notNull().unique(),
      role: text('role').$type<AuditorRole>().notNull(),
      createdAt: seconds('created_at').notNull(),
      expiresAt: seconds('expires_at').notNull(),
      revokedAt: seconds('revoked_at'),
      signedOutAt: seconds('signed_out_at'),
    },
    (t) => [check('auditors_token_hash_length', sql`length(${t.tokenHash}) = 32`)],
  )
  return { subjectKeys, auditors }
}
