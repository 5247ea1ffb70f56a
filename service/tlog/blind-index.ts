/** Blind indexes: keyed digests for searches. Searching for a user requires the lookup key. */
import { createHmac } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { FormatError } from 'miniseal-protocol/errors'
import { assertPath, canonicalPath, pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'

/** The indexed values. */
export type BlindIndexName = 'user' | 'device' | 'ip' | 'path' | 'area'

/** {@link subjectIndexLength} bytes for a user, {@link indexLength} for other values. */
export type BlindIndexOf = (name: BlindIndexName, value: string) => Uint8Array

/** Bytes: enough for searches, too few for a proof. */
const indexLength = 8

/** Bytes for a user: collision-free, because it also names the subject key. */
export const subjectIndexLength = 16

/** The first bytes of HMAC-SHA-256(lookup key, `tag/<name>` ‖ 0x0a ‖ value). */
export function createBlindIndex(lookupKey: Uint8Array): BlindIndexOf {
  return (name, value) => {
    const digest = createHmac('sha256', lookupKey).update(`tag/${name}\n${value}`).digest()
    return new Uint8Array(digest.subarray(0, name === 'user' ? subjectIndexLength : indexLength))
  }
}

/** Cached values. */
const maxEntries = 16_384

/** Adds a cache, for reading whole logs. */
export function cacheBlindIndex(blindIndexOf: BlindIndexOf): BlindIndexOf {
  const cache = new LRUCache<string, Uint8Array>({ max: maxEntries })
  return (name, value) => {
    const key = `${name} ${value}`
    const known = cache.get(key)
    if (known !== undefined) return known
    const index = blindIndexOf(name, value)
    cache.set(key, index)
    return index
  }
}

/** The first segment of the canonical path: `/wallet` of `/wallet/transfers?page=2`. */
export function areaOf(path: string): string {
  return /^\/[^/]*/.exec(pathOf(path))?.[0] ?? ''
}

/**
 * The canonical path without its query, so that all spellings of a path share an index. Of a malformed path, which only a
 * damaged log has, the query is removed.
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
