/** The keys that details are sealed with: one a person, wrapped by the master key. Without its key a detail is noise. */
import { randomBytes } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { equalBytes } from '../../crypto/bytes.ts'
import { secretPlace } from '../keys/secret-places.ts'
import type { SecretPlace, SecretWrapper } from '../keys/wrapping.ts'
import { type Store, StoreUnavailable } from '../store/store.ts'
import { subjectTagLength } from './tags.ts'

/** The subject of what is about nobody: system events, refusals of strangers. */
export const serviceSubject: Uint8Array = new Uint8Array(subjectTagLength)

/** Finds keys of 32 bytes. `undefined`: there is none, or no more. @throws Error for one that does not open. */
export type FindSubjectKey = (userTag: Uint8Array | null) => Promise<Uint8Array | undefined>

/** Keys kept in memory. */
const mostKept = 4_096

/** Remembers the keys that it finds, so that a whole log can be read: for commands, which end. */
export function createSubjectKeyFinder(
  store: Pick<Store, 'findSubjectKey'>,
  wrapper: SecretWrapper,
): FindSubjectKey {
  const kept = new LRUCache<string, { readonly key: Uint8Array | undefined }>({ max: mostKept })
  return async (userTag) => {
    const tag = userTag ?? serviceSubject
    const known = kept.get(nameOf(tag))
    if (known !== undefined) return known.key
    const record = await store.findSubjectKey(tag)
    const key = record === undefined ? undefined : wrapper.unwrap(record.keyWrapped, placeOf(tag))
    kept.set(nameOf(tag), { key })
    return key
  }
}

/** A key that details are sealed with, and what holds it in the database while they are committed. */
export interface SubjectKey {
  /** `null`: the service's own, which nobody destroys. */
  readonly tag: Uint8Array | null
  /** 32 bytes. Secret. */
  readonly key: Uint8Array
  readonly wrapped: Uint8Array
}

/** The keys of a running service. Made once for each person, whichever process is first. */
export interface SubjectKeys {
  /** Made where there is none. @throws StoreUnavailable */
  of(userTag: Uint8Array | null): Promise<SubjectKey>
  /** `undefined`: there is none, or no more. What is remembered may be out of date: see `hold-subject-key`. */
  find(userTag: Uint8Array | null): Promise<SubjectKey | undefined>
  /** Forgets what is remembered. */
  drop(userTag: Uint8Array | null): void
}

/** A key that was destroyed leaves the memory of every process after so many milliseconds. */
const keptFor = 300_000
const keyLength = 32

/** @param now UNIX seconds */
export function createSubjectKeys(
  store: Pick<Store, 'findSubjectKey' | 'commit'>,
  wrapper: SecretWrapper,
  now: () => number,
): SubjectKeys {
  const kept = new LRUCache<string, SubjectKey>({ max: mostKept, ttl: keptFor })
  const read = async (tag: Uint8Array): Promise<SubjectKey | undefined> => {
    const record = await store.findSubjectKey(tag)
    if (record === undefined) return undefined
    const key = wrapper.unwrap(record.keyWrapped, placeOf(tag))
    const subject = { tag: equalBytes(tag, serviceSubject) ? null : tag, key, wrapped: record.keyWrapped }
    kept.set(nameOf(tag), subject)
    return subject
  }
  const find = async (userTag: Uint8Array | null): Promise<SubjectKey | undefined> => {
    const tag = userTag ?? serviceSubject
    return kept.get(nameOf(tag)) ?? (await read(tag))
  }
  return {
    find,
    async of(userTag) {
      const known = await find(userTag)
      if (known !== undefined) return known
      const tag = userTag ?? serviceSubject
      const keyWrapped = wrapper.wrap(new Uint8Array(randomBytes(keyLength)), placeOf(tag))
      // Refused where another process was first: then theirs is read.
      await store.commit([{ kind: 'insert-subject-key', tag, keyWrapped, createdAt: now() }])
      const made = await read(tag)
      if (made === undefined)
        throw new StoreUnavailable(new Error('a subject key was destroyed while it was made'))
      return made
    },
    drop: (userTag) => {
      kept.delete(nameOf(userTag ?? serviceSubject))
    },
  }
}

const nameOf = (tag: Uint8Array): string => Buffer.from(tag).toString('hex')

function placeOf(tag: Uint8Array): SecretPlace {
  return secretPlace('subject_keys.key_wrapped', [tag])
}
