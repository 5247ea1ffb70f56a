/** HMAC-SHA-256 (RFC 2104) and HKDF (RFC 5869) for one block of output, which is all that the protocol needs. */
import { concatBytes, wipe } from '../bytes.ts'
import { FormatError } from '../errors.ts'

type Hash = (message: Uint8Array) => Uint8Array

const blockLength = 64
const hashLength = 32
const lastBlock = Uint8Array.of(1)
/** The limit of Node's HKDF, applied to every implementation. */
const maxInfoLength = 1024

/** @throws FormatError when an HKDF `info` is longer than 1024 bytes. */
export function assertInfoLength(info: Uint8Array): void {
  if (info.length > maxInfoLength) throw new FormatError(`info must have at most ${maxInfoLength} bytes`)
}

/**
 * HKDF-SHA-256, 32 bytes out.
 * @param salt empty means 32 zero bytes (RFC 5869, section 2.2)
 */
export function hkdfSha256(sha256: Hash, ikm: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array {
  const extracted = hmac(sha256, salt, ikm)
  const key = hmac(sha256, extracted, concatBytes(info, lastBlock))
  wipe(extracted)
  return key
}

/** A key longer than a block is hashed first; a shorter key is padded with zeros. */
function hmac(sha256: Hash, key: Uint8Array, message: Uint8Array): Uint8Array {
  const short = key.length > blockLength ? sha256(key) : key
  const inner = padded(short, 0x36, message.length)
  inner.set(message, blockLength)
  const outer = padded(short, 0x5c, hashLength)
  outer.set(sha256(inner), blockLength)
  const code = sha256(outer)
  wipe(inner)
  wipe(outer)
  return code
}

/** The key XOR the pad in one block, followed by `extra` zero bytes. */
function padded(key: Uint8Array, pad: number, extra: number): Uint8Array {
  const block = new Uint8Array(blockLength + extra)
  block.set(key)
  for (let i = 0; i < blockLength; i++) block[i] = (block[i] ?? 0) ^ pad
  return block
}
