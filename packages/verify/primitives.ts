/** SHA-256 and strict Ed25519 verification by Node's OpenSSL. */
import type { KeyObject } from 'node:crypto'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { isStrictSignature } from 'miniseal-protocol/primitives/ed25519-encoding'
import type { VerificationPrimitives } from 'miniseal-protocol/primitives/primitives'

/** SubjectPublicKeyInfo of Ed25519 (RFC 8410, section 4) up to the 32 bytes of the key. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

const prepared = new WeakMap<Uint8Array, KeyObject>()

/** Imports a key that verifies many signatures, once. @param publicKey 32 bytes, not changed afterwards */
export function prepareKey(publicKey: Uint8Array): void {
  prepared.set(publicKey, importKey(publicKey))
}

function importKey(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' })
}

export const nodePrimitives: VerificationPrimitives = {
  sha256: (message) => new Uint8Array(createHash('sha256').update(message).digest()),
  /**
   * OpenSSL checks the equation without cofactor, as the protocol requires. It accepts non-canonical and small-order
   * keys; `isStrictSignature` rejects them.
   */
  ed25519Verify: (signature, message, publicKey) =>
    isStrictSignature(signature, publicKey) &&
    verify(null, message, prepared.get(publicKey) ?? importKey(publicKey), signature),
}
