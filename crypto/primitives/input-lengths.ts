/** Lengths of what goes into the primitives, checked in one way by every implementation. */
import { FormatError } from '../errors.ts'

/** The limit of Node's HKDF, applied to every implementation. */
const maxInfoLength = 1024

/**
 * @param name what the bytes are, for the message; never their content.
 * @throws FormatError when `bytes` does not have exactly `length` bytes.
 */
export function assertLength(bytes: Uint8Array, length: number, name: string): void {
  if (bytes.length !== length) throw new FormatError(`${name} must have ${length} bytes`)
}

/** @throws FormatError when an HKDF `info` is longer than 1024 bytes. */
export function assertInfoLength(info: Uint8Array): void {
  if (info.length > maxInfoLength) throw new FormatError(`info must have at most ${maxInfoLength} bytes`)
}
