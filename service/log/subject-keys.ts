/** The keys that details are sealed with: one a person, wrapped by the master key. Without its key a detail is noise. */
import { secretPlace } from '../keys/secret-places.ts'
import type { SecretWrapper } from '../keys/wrapping.ts'
import type { Store } from '../store/store.ts'
import { tagLength } from './tags.ts'

/** The subject of what is about nobody: system events, refusals of strangers. */
export const serviceSubject: Uint8Array = new Uint8Array(tagLength)

/** Finds keys of 32 bytes. `undefined`: there is none, or no more. @throws Error for one that does not open. */
export type FindSubjectKey = (userTag: Uint8Array | null) => Promise<Uint8Array | undefined>

/** Keys kept in memory. */
const mostKept = 4_096

/** Remembers the keys that it finds, so that a whole log can be read: for commands, which end. */
export function createSubjectKeyFinder(
  store: Pick<Store, 'findSubjectKey'>,
  wrapper: SecretWrapper,
): FindSubjectKey {
  const kept = new Map<string, Uint8Array | undefined>()
  return async (userTag) => {
    const tag = userTag ?? serviceSubject
    const name = Buffer.from(tag).toString('hex')
    if (kept.has(name)) return kept.get(name)
    const record = await store.findSubjectKey(tag)
    const key =
      record === undefined
        ? undefined
        : wrapper.unwrap(record.keyWrapped, secretPlace('subject_keys.key_wrapped', [tag]))
    if (kept.size >= mostKept) kept.clear()
    kept.set(name, key)
    return key
  }
}
