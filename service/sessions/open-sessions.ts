/**
 * Sessions at hand: their records with their keys unwrapped, so that a phone that goes on talking costs no look into
 * the database.
 *
 * What is remembered may be out of date, and nothing rests on it: every request commits `touch-session` before anything
 * happens, and that is refused once the session has ended or its device was revoked, whoever did it. What the store
 * tells of changes only makes the right refusal come at once.
 */
import { LRUCache } from 'lru-cache'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { secretContext } from '../keys/wrapping.ts'
import type { SecretContext, SecretWrapper } from '../keys/wrapping.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'

/** A session and its keys. */
export interface OpenSession {
  readonly record: SessionRecord
  /** Secret: in memory only. */
  readonly keys: SessionKeys
}

export interface OpenSessions {
  /** Whatever its state. @throws StoreUnavailable; Error when its keys do not unwrap. */
  find(id: Uint8Array): Promise<OpenSession | undefined>
  /** The same, from the database. */
  findAnew(id: Uint8Array): Promise<OpenSession | undefined>
  close(): void
}

/** Sessions kept in memory: about 2 KB each. */
const maxEntries = 8_192
/** Milliseconds for which one is kept after it was read. */
const keptFor = 60_000

/** Where a session key is wrapped. */
export function sessionKeyContext(direction: 'c2s' | 's2c', sessionId: Uint8Array): SecretContext {
  return secretContext(`sessions.${direction}_wrapped`, [sessionId])
}

export function createOpenSessions(
  store: Pick<Store, 'findSession' | 'watch'>,
  wrapper: SecretWrapper,
): OpenSessions {
  const cache = new LRUCache<string, OpenSession>({ max: maxEntries, ttl: keptFor })
  const stop = store.watch(({ kind, user }) => {
    if (kind === 'events') return
    if (user === undefined) cache.clear()
    else for (const [name, { record }] of [...cache.entries()]) if (record.user === user) cache.delete(name)
  })
  const findAnew = async (id: Uint8Array): Promise<OpenSession | undefined> => {
    cache.delete(nameOf(id))
    const record = await store.findSession(id)
    if (record === undefined) return undefined
    const session = { record, keys: unwrapKeys(wrapper, record) }
    if (record.endedAt === null && record.deviceRevokedAt === null) cache.set(nameOf(id), session)
    return session
  }
  return {
    findAnew,
    find: async (id) => cache.get(nameOf(id)) ?? (await findAnew(id)),
    close() {
      stop()
      cache.clear()
    },
  }
}

function unwrapKeys(wrapper: SecretWrapper, { id, c2sWrapped, s2cWrapped }: SessionRecord): SessionKeys {
  return {
    c2s: wrapper.unwrap(c2sWrapped, sessionKeyContext('c2s', id)),
    s2c: wrapper.unwrap(s2cWrapped, sessionKeyContext('s2c', id)),
  }
}

function nameOf(id: Uint8Array): string {
  return Buffer.from(id.buffer, id.byteOffset, id.byteLength).toString('latin1')
}
