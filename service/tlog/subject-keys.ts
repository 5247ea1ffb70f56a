/** Subject keys: one for each user, wrapped with the master key. They seal and open details. */
import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { equalBytes } from 'miniseal-protocol/bytes'
import type { SecretContext, SecretWrapper } from '../keys/wrapping.ts'
import { secretContext } from '../keys/wrapping.ts'
import { type Store, StoreUnavailable } from '../store/store.ts'
import { subjectIndexLength } from './blind-index.ts'

/** The subject of entries without a user: system events, refusals before authentication. */
export const serviceSubjectIndex: Uint8Array = new Uint8Array(subjectIndexLength)

/** Finds a key of 32 bytes; `undefined` if none exists or it was shredded. @throws Error if it cannot be unwrapped */
export type FindSubjectKey = (userBlindIndex: Uint8Array | null) => Promise<Uint8Array | undefined>

/** Cached keys. */
const maxEntries = 4_096

/** For commands: cached keys do not expire. */
export function createSubjectKeyFinder(
  store: Pick<Store, 'findSubjectKey'>,
  wrapper: SecretWrapper,
): FindSubjectKey {
  const cache = new LRUCache<string, { readonly key: Uint8Array | undefined }>({ max: maxEntries })
  return async (userBlindIndex) => {
    const subjectIndex = userBlindIndex ?? serviceSubjectIndex
    const known = cache.get(nameOf(subjectIndex))
    if (known !== undefined) return known.key
    const record = await store.findSubjectKey(subjectIndex)
    const key = record === undefined ? undefined : wrapper.unwrap(record.keyWrapped, contextOf(subjectIndex))
    cache.set(nameOf(subjectIndex), { key })
    return key
  }
}

/** A subject key; its row is locked while entries that it seals are committed. */
export interface SubjectKey {
  /** `null`: the key of the service, which is never shredded. */
  readonly subjectIndex: Uint8Array | null
  /** 32 bytes. Secret. */
  readonly key: Uint8Array
  readonly wrapped: Uint8Array
}

/** The subject keys of a running service; each is created once across processes. */
export interface SubjectKeys {
  /** Finds or creates the key. @throws StoreUnavailable */
  of(userBlindIndex: Uint8Array | null): Promise<SubjectKey>
  /** `undefined` if none exists or it was shredded. May be stale: see `lock-subject-key`. */
  find(userBlindIndex: Uint8Array | null): Promise<SubjectKey | undefined>
  /** Drops the key from the cache. */
  drop(userBlindIndex: Uint8Array | null): void
}

/** Milliseconds after which a shredded key has left the cache of every process. */
const cacheLifetime = 300_000
const keyLength = 32

/** @param now UNIX seconds */
export function createSubjectKeys(
  store: Pick<Store, 'findSubjectKey' | 'commit'>,
  wrapper: SecretWrapper,
  now: () => number,
): SubjectKeys {
  const cache = new LRUCache<string, SubjectKey>({ max: maxEntries, ttl: cacheLifetime })
  const read = async (subjectIndex: Uint8Array): Promise<SubjectKey | undefined> => {
    const record = await store.findSubjectKey(subjectIndex)
    if (record === undefined) return undefined
    const key = wrapper.unwrap(record.keyWrapped, contextOf(subjectIndex))
    const subject = {
      subjectIndex: equalBytes(subjectIndex, serviceSubjectIndex) ? null : subjectIndex,
      key,
      wrapped: record.keyWrapped,
    }
    cache.set(nameOf(subjectIndex), subject)
    return subject
  }
  const find = async (userBlindIndex: Uint8Array | null): Promise<SubjectKey | undefined> => {
    const subjectIndex = userBlindIndex ?? serviceSubjectIndex
    return cache.get(nameOf(subjectIndex)) ?? (await read(subjectIndex))
  }
  return {
    find,
    async of(userBlindIndex) {
      const known = await find(userBlindIndex)
      if (known !== undefined) return known
      const subjectIndex = userBlindIndex ?? serviceSubjectIndex
      const keyWrapped = wrapper.wrap(new Uint8Array(randomBytes(keyLength)), contextOf(subjectIndex))
      // Refused if another process was first; then its key is read.
      await store.commit([{ kind: 'insert-subject-key', subjectIndex, keyWrapped, createdAt: now() }])
      const created = await read(subjectIndex)
      if (created === undefined)
        throw new StoreUnavailable(new Error('the subject key was shredded while it was created'))
      return created
    },
    drop: (userBlindIndex) => {
      cache.delete(nameOf(userBlindIndex ?? serviceSubjectIndex))
    },
  }
}

const nameOf = (subjectIndex: Uint8Array): string => Buffer.from(subjectIndex).toString('hex')

function contextOf(subjectIndex: Uint8Array): SecretContext {
  return secretContext('subject_keys.key_wrapped', [subjectIndex])
}
