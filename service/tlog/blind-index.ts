/** Blind indexes: keyed digests by which entries are found, so that searching for a user needs the lookup key. */
import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { FormatError } from 'miniseal-protocol/errors'
import { assertPath, canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'

/** The indexed values. */
export type BlindIndexName = 'user' | 'device' | 'ip' | 'path' | 'area'

/** The blind index of a value: {@link subjectIndexLength} bytes for a user, {@link indexLength} for anything else. */
export type BlindIndexOf = (name: BlindIndexName, value: string) => Uint8Array

/** Bytes: enough for searching, too few to prove anything. */
const indexLength = 8

/** Bytes for a user: it also names the subject key, so it must be collision-free. */
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

/** With a cache, for reading whole logs. */
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
 * A path without its query, in canonical form, so that all spellings of a path share an index. A malformed path, which only
 * a damaged log has, is returned without its query.
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
