/** Padding of plaintexts, which hides their exact length (protocol, section 5). */
import { FormatError } from '../errors.ts'
import { suite1 } from '../primitives/suite.ts'

/**
 * The padded length of `length` bytes: max(256, Padmé(length)).
 *
 * Padmé rounds a length L up: with E = floor(log2 L) and S = floor(log2 E) + 1, the last E - S bits of the result are zero.
 * The overhead is at most 12 % (PURBs, Nikitin et al. 2019, section 4).
 *
 * @throws FormatError when `length` is not an unsigned integer below 2^31.
 */
export function paddedLength(length: number): number {
  if (!Number.isInteger(length) || length < 0 || length >= 0x80000000)
    throw new FormatError('length out of range')
  if (length <= suite1.minimumPlaintext) return suite1.minimumPlaintext
  const exponent = 31 - Math.clz32(length)
  const significant = 32 - Math.clz32(exponent)
  const unit = 1 << (exponent - significant)
  return Math.ceil(length / unit) * unit
}

/** `message` followed by zero bytes up to its padded length; Binary HTTP allows them (RFC 9292, section 3.8). */
export function padMessage(message: Uint8Array): Uint8Array {
  const padded = new Uint8Array(paddedLength(message.length))
  padded.set(message)
  return padded
}
