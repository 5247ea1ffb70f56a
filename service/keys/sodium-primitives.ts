/**
 * The primitives of the service: libsodium, and HKDF and random bytes from OpenSSL.
 *
 * `crypto_sign_verify_detached` itself refuses S >= L, a non-canonical or small-order public key and a small-order R; it
 * compares R as bytes, without cofactor, so a non-canonical R or one with a small-order part never matches. Each of these
 * rules has a test, because a later libsodium could relax one.
 */
import { hkdfSync, randomFillSync } from 'node:crypto'
import { assertLength } from 'miniseal-protocol/bytes'
import { FormatError } from 'miniseal-protocol/errors'
import { assertInfoLength } from 'miniseal-protocol/primitives/hkdf'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import sodium from 'sodium-native'

const hashLength = 32
const keyLength = 32
const nonceLength = 24
const tagLength = 16
const secretKeyLength = 64
const signatureLength = 64

/** Signatures, messages, boxes and other parties' public keys are attacker-controlled; lengths are checked first. */
export const sodiumPrimitives: Primitives = {
  name: 'libsodium',
  sha256: (message) => filled(hashLength, (digest) => sodium.crypto_hash_sha256(digest, message)),
  hkdf: (ikm, salt, info) => {
    assertInfoLength(info)
    return new Uint8Array(hkdfSync('sha256', ikm, salt, info, hashLength))
  },
  ed25519KeyPair: (seed) => {
    assertLength(seed, keyLength, 'seed')
    const publicKey = new Uint8Array(keyLength)
    const secretKey = new Uint8Array(secretKeyLength)
    sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
    return { publicKey, secretKey }
  },
  ed25519Sign: (message, secretKey) => {
    assertLength(secretKey, secretKeyLength, 'secret key')
    return filled(signatureLength, (signature) => sodium.crypto_sign_detached(signature, message, secretKey))
  },
  ed25519Verify: (signature, message, publicKey) =>
    signature.length === signatureLength &&
    publicKey.length === keyLength &&
    sodium.crypto_sign_verify_detached(signature, message, publicKey),
  x25519PublicKey: (secret) => {
    assertLength(secret, keyLength, 'secret')
    return filled(keyLength, (publicKey) => sodium.crypto_scalarmult_base(publicKey, secret))
  },
  x25519,
  secretboxSeal: (plaintext, nonce, key) => {
    assertLength(nonce, nonceLength, 'nonce')
    assertLength(key, keyLength, 'key')
    return filled(plaintext.length + tagLength, (box) =>
      sodium.crypto_secretbox_easy(box, plaintext, nonce, key),
    )
  },
  secretboxOpen: (box, nonce, key) => {
    assertLength(nonce, nonceLength, 'nonce')
    assertLength(key, keyLength, 'key')
    if (box.length < tagLength) return undefined
    const plaintext = new Uint8Array(box.length - tagLength)
    return sodium.crypto_secretbox_open_easy(plaintext, box, nonce, key) ? plaintext : undefined
  },
}

/**
 * True only for a canonical encoding of a point of the prime-order subgroup other than the identity.
 *
 * @param publicKey an Ed25519 public key, attacker-controlled
 */
export function isPrimeOrderKey(publicKey: Uint8Array): boolean {
  return publicKey.length === keyLength && sodium.crypto_core_ed25519_is_valid_point(publicKey)
}

function x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array {
  assertLength(secret, keyLength, 'secret')
  assertLength(publicKey, keyLength, 'public key')
  const shared = new Uint8Array(keyLength)
  try {
    sodium.crypto_scalarmult(shared, secret, publicKey)
  } catch {
    // The lengths are right, so this is libsodium's only refusal here: a public key of small order.
    throw new FormatError('the shared secret is all zero')
  }
  return shared
}

/** A new array, not a view into Node's buffer pool, filled by a libsodium call. */
function filled(length: number, fill: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = new Uint8Array(length)
  fill(bytes)
  return bytes
}

const blockLength = 4_096

const block = new Uint8Array(blockLength)
let used = blockLength

/** Random bytes, read from the system in blocks for speed. Returned bytes are erased from the block. */
export function randomBytes(length: number): Uint8Array {
  if (length > blockLength / 8) return randomFillSync(new Uint8Array(length))
  if (used + length > blockLength) {
    randomFillSync(block)
    used = 0
  }
  const taken = block.slice(used, used + length)
  block.fill(0, used, used + length)
  used += length
  return taken
}
