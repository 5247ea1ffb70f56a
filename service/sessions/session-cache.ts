/**
 * Sessions in memory, with their keys unwrapped: requests of an active phone need no query.
 *
 * Entries may be stale, and no guarantee depends on them: every request commits `touch-session` before any effect, and the
 * store refuses that after the session has ended or its device was revoked. With notifications of the store the request is
 * refused earlier.
 */
import { LRUCache } from 'lru-cache'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { type SecretContext, type SecretWrapper, secretContext } from '../keys/wrapping.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { Store } from '../store/store.ts'

/** A session and its keys. */
export interface OpenSession {
  readonly record: SessionRecord
  /** Secret: in memory only. */
  readonly keys: SessionKeys
}

export interface SessionCache {
  /** Finds a session in any state. @throws StoreUnavailable; Error when its keys cannot be unwrapped. */
  find(id: Uint8Array): Promise<OpenSession | undefined>
  /** Like {@link SessionCache.find}, but always reads the database. */
  reload(id: Uint8Array): Promise<OpenSession | undefined>
  close(): void
}

/** About 2 KB each. */
const maxEntries = 8_192
/** Milliseconds. */
const maxAge = 60_000

/** The binding of a wrapped session key. */
export function sessionKeyContext(direction: 'c2s' | 's2c', sessionId: Uint8Array): SecretContext {
  return secretContext(`sessions.${direction}_wrapped`, [sessionId])
}

export function createSessionCache(
  store: Pick<Store, 'findSession' | 'watch'>,
  wrapper: SecretWrapper,
): SessionCache {
  const cache = new LRUCache<string, OpenSession>({ max: maxEntries, ttl: maxAge })
  const stop = store.watch(({ kind, user }) => {
    if (kind === 'events') return
    if (user === undefined) cache.clear()
    else for (const [name, { record }] of [...cache.entries()]) if (record.user === user) cache.delete(name)
  })
  const reload = async (id: Uint8Array): Promise<OpenSession | undefined> => {
    cache.delete(nameOf(id))
    const record = await store.findSession(id)
    if (record === undefined) return undefined
    const session = { record, keys: unwrapKeys(wrapper, record) }
    if (record.endedAt === null && record.deviceRevokedAt === null) cache.set(nameOf(id), session)
    return session
  }
  return {
    reload,
    find: async (id) => cache.get(nameOf(id)) ?? (await reload(id)),
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
