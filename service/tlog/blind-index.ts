/** Tags: what entries are found by, so that only who has the lookup key can look for a person. */
import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { FormatError } from 'miniseal-protocol/errors'
import { assertPath, canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'

/** What an entry can be found by. */
export type BlindIndexName = 'user' | 'device' | 'ip' | 'path' | 'area'

/** The bytes that stand for a value: {@link subjectIndexLength} for a user, {@link indexLength} for anything else. */
export type BlindIndexOf = (name: BlindIndexName, value: string) => Uint8Array

/** Bytes of a tag: enough to find by, and too few to prove anything with. */
const indexLength = 8

/** Bytes of a user's tag. It also names the key of a person's details, so no two persons may ever share one. */
export const subjectIndexLength = 16

/** The first bytes of HMAC-SHA-256(lookup key, `tag/<name>` ‖ 0x0a ‖ value). */
export function createBlindIndex(lookupKey: Uint8Array): BlindIndexOf {
  return (name, value) => {
    const digest = createHmac('sha256', lookupKey).update(`tag/${name}\n${value}`).digest()
    return new Uint8Array(digest.subarray(0, name === 'user' ? subjectIndexLength : indexLength))
  }
}

/** Values that are remembered. */
const maxEntries = 16_384

/** The same tags, remembered: for whoever goes through a whole log, in which most values come again and again. */
export function cacheBlindIndex(blindIndexOf: BlindIndexOf): BlindIndexOf {
  const cache = new LRUCache<string, Uint8Array>({ max: maxEntries })
  return (name, value) => {
    const key = `${name} ${value}`
    const known = cache.get(key)
    if (known !== undefined) return known
    const tag = blindIndexOf(name, value)
    cache.set(key, tag)
    return tag
  }
}

/** The first segment of a path in its canonical form, `/wallet` of `/wallet/transfers?page=2`. */
export function areaOf(path: string): string {
  return /^\/[^/]*/.exec(pathOf(path))?.[0] ?? ''
}

/**
 * A path without its query, in its canonical form: two spellings of one path are found together. A path of another
 * grammar, which only a damaged log has, stands for itself.
 */
export function pathOf(pathAndQuery: string): string {
  try {
    assertPath(pathAndQuery)
    return canonicalPath(pathAndQuery)
  } catch (error) {
    if (error instanceof FormatError) return pathWithoutQuery(pathAndQuery)
    throw error
  }
}
