/** Optional body compression. `gzip.ts` is the implementation, a separate file of the package. */
import { ChannelError } from './errors.ts'

export interface Compression {
  /** RFC 1952. Deterministic: a repeated request must have the same digest. */
  gzip(content: Uint8Array): Uint8Array
  /** @throws when `content` is not gzip or decompresses to more than `maxLength` bytes. */
  gunzip(content: Uint8Array, maxLength: number): Uint8Array
}

/** Below this, signatures and padding outweigh the saving. */
const MIN_SIZE = 2048
/** The service's own limit on decompressed bodies. */
const MAX_SIZE = 8_388_608

/** The compressed content; `undefined` when it saves less than 10 %. */
export function compressIfSmaller(
  compression: Compression | undefined,
  content: Uint8Array,
): Uint8Array | undefined {
  if (compression === undefined || content.length < MIN_SIZE) return undefined
  const smaller = compression.gzip(content)
  return smaller.length < content.length * 0.9 ? smaller : undefined
}

/**
 * Removes the content coding. The content is verified; its size is bounded nevertheless.
 * @throws ChannelError `unexpected_answer`
 */
export function decompress(
  compression: Compression | undefined,
  coding: string | undefined,
  content: Uint8Array,
): Uint8Array {
  if (coding !== 'gzip' || compression === undefined || content.length === 0) return content
  try {
    return compression.gunzip(content, MAX_SIZE)
  } catch (cause) {
    throw new ChannelError('unexpected_answer', 'the content cannot be decompressed', { cause })
  }
}
