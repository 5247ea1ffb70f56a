/**
 * Wraps secrets at rest with the master key: XChaCha20-Poly1305 with row and column as associated data, so that a value
 * moved to another row or column cannot be unwrapped.
 *
 * ```
 * wrapped = 0x01 ‖ key hint(4) ‖ nonce(24) ‖ ciphertext and tag
 * ```
 */
import { createHash } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { encodeHex } from 'miniseal-protocol/text'
import sodium from 'sodium-native'
import type { RowKey, WrappedColumn } from '../store/wrapped-values.ts'
import { randomBytes } from './sodium-primitives.ts'

const version = 1
const hintLength = 4
const nonceLength = 24
const tagLength = 16
const headLength = 1 + hintLength + nonceLength

/** The place where a secret is stored, as associated data. */
export interface SecretContext {
  /** `table.column` */
  readonly column: string
  /** The row's key, as text. */
  readonly row: string
}

/** @param row the primary key, in the order of its columns */
export function secretContext(column: WrappedColumn, row: RowKey): SecretContext {
  const parts = row.map((part) => (typeof part === 'string' ? part : encodeHex(part)))
  return { column, row: parts.join(column.startsWith('service_keys.') ? '/' : '\n') }
}

/** Wraps with the first master key and unwraps with any of them. */
export interface SecretWrapper {
  /** The first 5 bytes of every value that `wrap` returns: version and hint of the current key. */
  readonly prefix: Uint8Array
  wrap(secret: Uint8Array, context: SecretContext): Uint8Array
  /** @throws Error when the value was not wrapped for this context by a known master key. */
  unwrap(wrapped: Uint8Array, context: SecretContext): Uint8Array
}

/**
 * @param masterKeys 32 bytes each, the current one first
 * @throws Error without a key, or for one of another length.
 */
export function createSecretWrapper(masterKeys: readonly Uint8Array[]): SecretWrapper {
  const keys = masterKeys.map((key) => {
    if (key.length !== 32) throw new Error('a master key must be 32 bytes')
    return {
      key: Buffer.from(key),
      hint: createHash('sha256').update('miniseal master key').update(key).digest().subarray(0, hintLength),
    }
  })
  const current = keys[0]
  if (current === undefined) throw new Error('a master key is required')
  return {
    prefix: Uint8Array.of(version, ...current.hint),
    wrap(secret, context) {
      const nonce = randomBytes(nonceLength)
      const sealed = Buffer.alloc(secret.length + tagLength)
      const input = Buffer.from(secret)
      sodium.crypto_aead_xchacha20poly1305_ietf_encrypt(
        sealed,
        input,
        associatedData(context),
        null,
        nonce,
        current.key,
      )
      input.fill(0)
      return new Uint8Array(Buffer.concat([Uint8Array.of(version), current.hint, nonce, sealed]))
    },
    unwrap(wrapped, context) {
      const bytes = Buffer.from(wrapped)
      if (bytes.length < headLength + tagLength || bytes[0] !== version)
        throw new Error('not a wrapped secret')
      const hint = bytes.subarray(1, 1 + hintLength)
      const master = keys.find((candidate) => equalBytes(candidate.hint, hint))
      if (master === undefined)
        throw new Error('a secret is wrapped with a master key that is not configured')
      const nonce = bytes.subarray(1 + hintLength, headLength)
      const secret = Buffer.alloc(bytes.length - headLength - tagLength)
      const sealed = bytes.subarray(headLength)
      sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        secret,
        null,
        sealed,
        associatedData(context),
        nonce,
        master.key,
      )
      return new Uint8Array(secret)
    },
  }
}

function associatedData(context: SecretContext): Buffer {
  return Buffer.from(`${context.column}\n${context.row}`, 'utf8')
}
