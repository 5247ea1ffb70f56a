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
    userTag: bytes('user_tag'),
    deviceTag: bytes('device_tag'),
    ipTag: bytes('ip_tag'),
    pathTag: bytes('path_tag'),
    areaTag: bytes('area_tag'),
    detail: bytes('detail'),
    detailUntil: seconds('detail_until').notNull(),
  }
}

function defineLeaves(kit: ColumnKit) {
  const { table, bytes, count, seconds, index, uniqueIndex, primaryKey, check } = kit
  // Few rows at any time, so no index but the key: what is found by tags has a place already.
  const logStaged = table('log_staged', { ...leafColumns(kit), seal: bytes('seal') }, (t) => [
    primaryKey({ name: 'log_staged_key', columns: [t.id] }),
    check('log_staged_hash_length', sql`length(${t.hash}) = 32`),
  ])
  const logEntries = table(
    'log_entries',
    { place: count('place').primaryKey(), ...leafColumns(kit) },
    (t) => [
      uniqueIndex('log_entries_id').on(t.id),
      uniqueIndex('log_entries_hash').on(t.hash),
      index('log_entries_at').on(t.at),
      index('log_entries_kind').on(t.kind, t.place),
      index('log_entries_result').on(t.result, t.place).where(sql`result <> 'ok'`),
      index('log_entries_code').on(t.code, t.place).where(sql`code is not null`),
      index('log_entries_user').on(t.userTag, t.place).where(sql`user_tag is not null`),
      index('log_entries_device').on(t.deviceTag, t.place).where(sql`device_tag is not null`),
      index('log_entries_ip').on(t.ipTag, t.place).where(sql`ip_tag is not null`),
      index('log_entries_path').on(t.pathTag, t.place).where(sql`path_tag is not null`),
      index('log_entries_area').on(t.areaTag, t.place).where(sql`area_tag is not null`),
      index('log_entries_until').on(t.detailUntil).where(sql`detail is not null`),
    ],
  )
  const logIntents = table(
    'log_intents',
    {
      id: bytes('id').primaryKey(),
      userTag: bytes('user_tag'),
      draft: bytes('draft').notNull(),
      startedAt: seconds('started_at').notNull(),
    },
    (t) => [index('log_intents_started').on(t.startedAt)],
  )
  return { logStaged, logEntries, logIntents }
}

function defineTree({ table, text, bytes, count, seconds, primaryKey, check }: ColumnKit) {
  const logStates = table(
    'log_states',
    {
      log: count('log').primaryKey(),
      origin: text('origin').notNull(),
      size: count('size').notNull(),
      root: bytes('root').notNull(),
      seal: bytes('seal'),
    },
    (t) => [check('log_states_root_length', sql`length(${t.root}) = 32`)],
  )
  const logTiles = table(
    'log_tiles',
    {
      log: count('log').notNull(),
      level: count('level').notNull(),
      index: count('tile_index').notNull(),
      hashes: bytes('hashes').notNull(),
    },
    (t) => [primaryKey({ name: 'log_tiles_key', columns: [t.log, t.level, t.index] })],
  )
  const logCheckpoints = table(
    'log_checkpoints',
    {
      log: count('log').notNull(),
      size: count('size').notNull(),
      signedAt: seconds('signed_at').notNull(),
      note: text('note').notNull(),
      cosignatures: text('cosignatures').notNull(),
      timestampToken: bytes('timestamp_token'),
    },
    (t) => [primaryKey({ name: 'log_checkpoints_key', columns: [t.log, t.size] })],
  )
  const logWitnesses = table('log_witnesses', {
    name: text('name').primaryKey(),
    log: count('log').notNull(),
    size: count('size').notNull(),
    cosignedAt: seconds('cosigned_at'),
    triedAt: seconds('tried_at').notNull(),
    failure: text('failure'),
  })
  const logHours = table(
    'log_hours',
    {
      hour: seconds('hour').notNull(),
      kind: text('kind').notNull(),
      result: text('result').$type<LeafResult>().notNull(),
      code: text('code').notNull(),
      entries: count('entries').notNull(),
    },
    (t) => [primaryKey({ name: 'log_hours_key', columns: [t.hour, t.kind, t.result, t.code] })],
  )
  return { logStates, logTiles, logCheckpoints, logWitnesses, logHours }
}

function defineLogPeople({ table, text, bytes, seconds, check }: ColumnKit) {
  const subjectKeys = table('subject_keys', {
    tag: bytes('tag').primaryKey(),
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
