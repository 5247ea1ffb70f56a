/** Users and their devices. */
import { and, desc, eq, exists, gt, isNull, lt, or, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compileUpdate,
  compileUpsert,
  type Engine,
  matching,
  type Queries,
  readersOf,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type UserTables = ReturnType<typeof defineTables>

export function defineTables({ table, text, seconds, bytes, index, check }: ColumnKit) {
  const users = table('users', {
    /** The pairwise subject. */
    id: text('id').primaryKey(),
    app: text('app').notNull(),
    openidWrapped: bytes('openid_wrapped').notNull(),
    sessionKeyWrapped: bytes('session_key_wrapped').notNull(),
    createdAt: seconds('created_at').notNull(),
    updatedAt: seconds('updated_at').notNull(),
  })
  const devices = table(
    'devices',
    {
      /** RFC 7638 thumbprint of the key. */
      id: text('id').primaryKey(),
      user: text('user_id')
        .notNull()
        .references(() => users.id),
      /** 32 bytes, Ed25519. */
      publicKey: bytes('public_key').notNull(),
      name: text('name'),
      platform: text('platform'),
      createdAt: seconds('created_at').notNull(),
      lastSeenAt: seconds('last_seen_at').notNull(),
      revokedAt: seconds('revoked_at'),
    },
    (t) => [
      index('devices_user').on(t.user),
      check('devices_public_key_length', sql`length(${t.publicKey}) = 32`),
    ],
  )
  return { users, devices }
}

export type UserRecord = Readonly<UserTables['users']['$inferSelect']>
export type DeviceRecord = Readonly<UserTables['devices']['$inferSelect']>

export type UserWrite =
  /** Inserts, or replaces the two secrets. Refused when `id` belongs to another app. */
  | WriteData<
      'upsert-user',
      { id: string; app: string; openidWrapped: Uint8Array; sessionKeyWrapped: Uint8Array; now: number }
    >
  /**
   * Erases the secrets that came from WeChat. Refused when there is no such user. The row is kept, because revoked
   * devices and used keys refer to the pairwise subject.
   */
  | WriteData<'redact-user', { id: string; now: number }>
  /**
   * Refused when `device` is new and `user` already has `limit` devices that are not revoked and were seen after
   * `seenAfter`. A known device is always admitted; `upsert-device` checks whether it may be used. Between `upsert-user`
   * and `upsert-device` of one commit: `upsert-user` serializes the logins of a user across processes, so two logins
   * cannot both use the last free slot.
   */
  | WriteData<'admit-device', { user: string; device: string; limit: number; seenAfter: number }>
  /**
   * Inserts, or sets `last_seen_at` (and the platform, when given) of the same user's device with the same key.
   * Refused for another user, another key (32 bytes), or a revoked device: revocation is permanent.
   */
  | WriteData<
      'upsert-device',
      { id: string; user: string; publicKey: Uint8Array; platform?: string; now: number }
    >
  /** Refused unless the device is `user`'s and not revoked. */
  | WriteData<'rename-device', { id: string; user: string; name: string }>
  /**
   * Permanent. Refused unless the device is `user`'s and not revoked. A concurrent login is refused, or commits first;
   * then its session is visible to the later writes of this commit.
   */
  | WriteData<'revoke-device', { id: string; user: string; now: number }>
  /** Bulk. Revokes all devices of `user` that are not revoked, except `except` (null: none). */
  | WriteData<'revoke-other-devices', { user: string; except: string | null; now: number }>
  /** Bulk. Erases name and platform of all devices of a user. */
  | WriteData<'redact-device-names', { user: string }>

const slot = slotsOf<UserWrite>()

export function defineWrites({ queries, tables }: Engine<UserTables>): WriteDefinitions<UserWrite> {
  const { users, devices } = tables
  const now = slot('now')
  const empty = sql`${new Uint8Array(0)}`
  const upsertDevice = compileUpsert(
    queries,
    devices,
    { name: null, createdAt: now, lastSeenAt: now, revokedAt: null },
    {
      key: devices.id,
      replace: ['lastSeenAt'],
      set: { platform: sql`coalesce(excluded.platform, ${devices.platform})` },
      onlyIf: sql`${devices.user} = excluded.user_id and ${devices.publicKey} = excluded.public_key
        and ${devices.revokedAt} is null`,
    },
  )
  return {
    'upsert-user': {
      bind: compileUpsert(
        queries,
        users,
        { createdAt: now, updatedAt: now },
        {
          key: users.id,
          replace: ['openidWrapped', 'sessionKeyWrapped', 'updatedAt'],
          onlyIf: sql`${users.app} = excluded.app`,
        },
      ),
    },
    'redact-user': {
      bind: compileUpdate(
        queries,
        users,
        { openidWrapped: empty, sessionKeyWrapped: empty, updatedAt: now },
        matching(users, 'id'),
      ),
    },
    'admit-device': { bind: compileAdmitDevice(queries, tables) },
    'upsert-device': { bind: (write) => upsertDevice({ ...write, platform: write.platform ?? null }) },
    ...defineDeviceChanges(queries, tables),
  }
}

/** Updates the user's row to the same values: the lock on the row covers the count of devices. */
function compileAdmitDevice(queries: Queries, { users, devices }: UserTables) {
  const known = queries
    .select({ id: devices.id })
    .from(devices)
    .where(eq(devices.id, slot('device')))
  const inUse = and(
    matching(devices, 'user'),
    isNull(devices.revokedAt),
    gt(devices.lastSeenAt, slot('seenAfter')),
  )
  const count = sql`(select count(*) from ${devices} where ${inUse})`
  const isUser = eq(users.id, slot('user'))
  const isAdmitted = or(exists(known), lt(count, slot('limit')))
  return compileUpdate(queries, users, { updatedAt: sql`${users.updatedAt}` }, and(isUser, isAdmitted))
}

function defineDeviceChanges(queries: Queries, { devices }: UserTables) {
  const isActive = isNull(devices.revokedAt)
  const isOne = and(matching(devices, 'id', 'user'), isActive)
  const isOfUser = matching(devices, 'user')
  const isOther = and(isOfUser, sql`${devices.id} is distinct from ${slot('except')}`, isActive)
  const revoked = { revokedAt: slot('now') }
  return {
    'rename-device': { bind: compileUpdate(queries, devices, { name: slot('name') }, isOne) },
    'revoke-device': { bind: compileUpdate(queries, devices, revoked, isOne), notifies: 'sessions' },
    'revoke-other-devices': {
      bind: compileUpdate(queries, devices, revoked, isOther),
      isBulk: true,
      notifies: 'sessions',
    },
    'redact-device-names': {
      bind: compileUpdate(queries, devices, { name: null, platform: null }, isOfUser),
      isBulk: true,
    },
  } as const
}

export interface UserReads {
  findUser(id: string): Promise<UserRecord | undefined>
  findDevice(id: string): Promise<DeviceRecord | undefined>
  /** Newest first, including revoked ones. */
  listDevices(user: string): Promise<readonly DeviceRecord[]>
}

export function prepareReads(engine: Engine<UserTables>): UserReads {
  const { queries, tables } = engine
  const { users, devices } = tables
  const { rows, first } = readersOf(engine)
  const ofUser = queries.select().from(devices).where(matching(devices, 'user'))
  return {
    findUser: first(queries.select().from(users).where(matching(users, 'id')), 'id'),
    findDevice: first(queries.select().from(devices).where(matching(devices, 'id')), 'id'),
    listDevices: rows(ofUser.orderBy(desc(devices.createdAt), desc(devices.id)), 'user'),
  }
}
