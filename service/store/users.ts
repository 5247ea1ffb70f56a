/** Users and their devices. */
import { and, desc, eq, exists, gt, isNull, lt, or, sql } from 'drizzle-orm'
import {
  type ColumnKit,
  compile,
  type Engine,
  prepareRead,
  type Queries,
  slotsOf,
  type WriteData,
  type WriteDefinitions,
} from './engine.ts'

export type UserTables = ReturnType<typeof defineUsers>

export function defineUsers({ table, text, seconds, bytes, index, check }: ColumnKit) {
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
   * Erases the secrets that came from WeChat. Refused when there is no such user. The row stays, because revoked devices
   * and used keys refer to the pairwise subject.
   */
  | WriteData<'redact-user', { id: string; now: number }>
  /**
   * Refused when `device` would be a new one and `user` has `limit` devices already that are neither revoked nor last
   * seen at `seenAfter` or before. A known device always passes; `upsert-device` checks whether it may be used. Goes
   * between `upsert-user` and `upsert-device` of one commit: `upsert-user` serializes the logins of one user, so that two
   * of them cannot both take the last free slot, in any number of processes.
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
   * Permanent. Refused unless the device is `user`'s and not revoked. A concurrent login either commits first, and its
   * session is visible to the later writes of this commit, or is refused.
   */
  | WriteData<'revoke-device', { id: string; user: string; now: number }>
  /** Bulk. Revokes all devices of `user` that are not revoked, except `except` (null: none). */
  | WriteData<'revoke-other-devices', { user: string; except: string | null; now: number }>
  /** Bulk. Erases name and platform of all devices of a user. */
  | WriteData<'redact-device-names', { user: string }>

type WriteOf<K extends UserWrite['kind']> = Extract<UserWrite, { readonly kind: K }>

export function defineUserWrites({ queries, tables }: Engine<UserTables>): WriteDefinitions<UserWrite> {
  const upsertDevice = compileUpsertDevice(queries, tables)
  return {
    'upsert-user': { bind: compileUpsertUser(queries, tables) },
    'redact-user': { bind: compileRedactUser(queries, tables) },
    'admit-device': { bind: compileAdmitDevice(queries, tables) },
    'upsert-device': {
      bind: (write) => upsertDevice({ ...write, platform: write.platform ?? null }),
    },
    ...defineDeviceChanges(queries, tables),
  }
}

function compileUpsertUser(queries: Queries, { users }: UserTables) {
  const slot = slotsOf<WriteOf<'upsert-user'>>()
  return compile(
    queries
      .insert(users)
      .values({
        id: slot('id'),
        app: slot('app'),
        openidWrapped: slot('openidWrapped'),
        sessionKeyWrapped: slot('sessionKeyWrapped'),
        createdAt: slot('now'),
        updatedAt: slot('now'),
      })
      .onConflictDoUpdate({
        target: users.id,
        set: {
          openidWrapped: sql`excluded.openid_wrapped`,
          sessionKeyWrapped: sql`excluded.session_key_wrapped`,
          updatedAt: sql`excluded.updated_at`,
        },
        setWhere: sql`${users.app} = excluded.app`,
      })
      .returning({ touched: users.id }),
  )
}

function compileRedactUser(queries: Queries, { users }: UserTables) {
  const slot = slotsOf<WriteOf<'redact-user'>>()
  const empty = sql`${new Uint8Array(0)}`
  return compile(
    queries
      .update(users)
      .set({ openidWrapped: empty, sessionKeyWrapped: empty, updatedAt: sql`${slot('now')}` })
      .where(eq(users.id, slot('id')))
      .returning({ touched: users.id }),
  )
}

/** Updates the user's row without changing it: the device count is read while the transaction holds that row's lock. */
function compileAdmitDevice(queries: Queries, { users, devices }: UserTables) {
  const slot = slotsOf<WriteOf<'admit-device'>>()
  const known = queries
    .select({ id: devices.id })
    .from(devices)
    .where(eq(devices.id, slot('device')))
  const inUse = and(
    eq(devices.user, slot('user')),
    isNull(devices.revokedAt),
    gt(devices.lastSeenAt, slot('seenAfter')),
  )
  const count = sql`(select count(*) from ${devices} where ${inUse})`
  return compile(
    queries
      .update(users)
      .set({ updatedAt: sql`${users.updatedAt}` })
      .where(and(eq(users.id, slot('user')), or(exists(known), lt(count, slot('limit')))))
      .returning({ touched: users.id }),
  )
}

function compileUpsertDevice(queries: Queries, { devices }: UserTables) {
  const slot = slotsOf<WriteOf<'upsert-device'>>()
  return compile(
    queries
      .insert(devices)
      .values({
        id: slot('id'),
        user: slot('user'),
        publicKey: slot('publicKey'),
        platform: slot('platform'),
        createdAt: slot('now'),
        lastSeenAt: slot('now'),
      })
      .onConflictDoUpdate({
        target: devices.id,
        set: {
          lastSeenAt: sql`excluded.last_seen_at`,
          platform: sql`coalesce(excluded.platform, ${devices.platform})`,
        },
        setWhere: sql`${devices.user} = excluded.user_id and ${devices.publicKey} = excluded.public_key
            and ${devices.revokedAt} is null`,
      })
      .returning({ touched: devices.id }),
  )
}

function defineDeviceChanges(queries: Queries, { devices }: UserTables) {
  const one = slotsOf<WriteOf<'rename-device'> & WriteOf<'revoke-device'>>()
  const many = slotsOf<WriteOf<'revoke-other-devices'>>()
  const isActive = isNull(devices.revokedAt)
  const isOne = and(eq(devices.id, one('id')), eq(devices.user, one('user')), isActive)
  const isOfUser = eq(devices.user, many('user'))
  const isOther = and(isOfUser, sql`${devices.id} is distinct from ${many('except')}`, isActive)
  const revokedNow = { revokedAt: sql`${one('now')}` }
  const touched = { touched: devices.id }
  return {
    'rename-device': {
      bind: compile(
        queries
          .update(devices)
          .set({ name: sql`${one('name')}` })
          .where(isOne)
          .returning(touched),
      ),
    },
    'revoke-device': {
      bind: compile(queries.update(devices).set(revokedNow).where(isOne).returning(touched)),
      notifies: 'sessions',
    },
    'revoke-other-devices': {
      bind: compile(queries.update(devices).set(revokedNow).where(isOther).returning(touched)),
      isBulk: true,
      notifies: 'sessions',
    },
    'redact-device-names': {
      bind: compile(
        queries.update(devices).set({ name: null, platform: null }).where(isOfUser).returning(touched),
      ),
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

export function prepareUserReads(engine: Engine<UserTables>): UserReads {
  const { queries, tables } = engine
  const { users, devices } = tables
  const id = sql.placeholder('id')
  const userById = prepareRead(engine, queries.select().from(users).where(eq(users.id, id)))
  const deviceById = prepareRead(engine, queries.select().from(devices).where(eq(devices.id, id)))
  const devicesByUser = prepareRead(
    engine,
    queries
      .select()
      .from(devices)
      .where(eq(devices.user, id))
      .orderBy(desc(devices.createdAt), desc(devices.id)),
  )
  return {
    findUser: async (id) => (await userById({ id }))[0],
    findDevice: async (id) => (await deviceById({ id }))[0],
    listDevices: (user) => devicesByUser({ id: user }),
  }
}
