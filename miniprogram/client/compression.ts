/** Smaller bodies, for those who want them: `gzip.ts` is the one implementation, and a file of its own. */
import { ChannelError } from './errors.ts'

export interface Compression {
  /** RFC 1952; the same bytes for the same content, so that a repeated request has the same digest. */
  gzip(content: Uint8Array): Uint8Array
  /** @throws for what is not gzip, and for what would be longer than `longest` bytes. */
  gunzip(content: Uint8Array, longest: number): Uint8Array
}

/** Below this, signatures and padding weigh more than what could be saved. */
const MIN_SIZE = 2048
/** As the service's own bound on what it unpacks. */
const MAX_SIZE = 8_388_608

/** `undefined` where the content would not become a tenth smaller. */
export function findSmaller(
  compression: Compression | undefined,
  content: Uint8Array,
): Uint8Array | undefined {
  if (compression === undefined || content.length < MIN_SIZE) return undefined
  const smaller = compression.gzip(content)
  return smaller.length < content.length * 0.9 ? smaller : undefined
}

/**
 * The content without the coding that it came in. It is verified, and from the service; bounded all the same.
 * @throws ChannelError `unexpected_answer`
 */
export function unpacked(
  compression: Compression | undefined,
  coding: string | undefined,
  content: Uint8Array,
): Uint8Array {
  if (coding !== 'gzip' || compression === undefined || content.length === 0) return content
  try {
    return compression.gunzip(content, MAX_SIZE)
  } catch (cause) {
    throw new ChannelError('unexpected_answer', 'the content cannot be unpacked', { cause })
  }
}
