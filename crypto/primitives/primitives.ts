/**
 * The primitives of suite 1, an argument of everything that needs one: tweetnacl or noble on phones, libsodium in the
 * service.
 *
 * Every implementation refuses the same inputs; `test/unit/crypto/primitives.test.ts` runs one suite over all of them. All
 * arguments and results are byte strings; lengths are in bytes. A wrong length throws FormatError.
 */
export interface Primitives {
  /** For diagnostics only, for example `libsodium`. */
  readonly name: string

  /** SHA-256 (FIPS 180-4), 32 bytes. */
  sha256(message: Uint8Array): Uint8Array

  /** HKDF-SHA-256 (RFC 5869), 32 bytes. An empty salt means 32 zero bytes; `info` has at most 1024 bytes. */
  hkdf(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array): Uint8Array

  /** The key pair of a 32-byte seed (RFC 8032, section 5.1.5). */
  ed25519KeyPair(seed: Uint8Array): Ed25519KeyPair

  /** PureEdDSA over `message` (RFC 8032, section 5.1.6), 64 bytes. */
  ed25519Sign(message: Uint8Array, secretKey: Uint8Array): Uint8Array

  /**
   * Strict verification of the equation S·B = R + k·A, without cofactor. False, never an exception, for a wrong signature,
   * S not below the group order, a non-canonical or small-order R or public key, and a wrong length. All arguments are
   * attacker-controlled.
   */
  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean

  /** X25519 of `secret` with the base point (RFC 7748, section 6.1). */
  x25519PublicKey(secret: Uint8Array): Uint8Array

  /**
   * X25519 (RFC 7748, section 5).
   * @throws FormatError when the shared secret is all zero, that is for every small-order `publicKey`.
   */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array

  /** XSalsa20-Poly1305, 16-byte tag first (`crypto_secretbox_easy`). `nonce` 24 bytes, `key` 32. */
  secretboxSeal(plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array

  /** `undefined` when the box was not made with this nonce and key. */
  secretboxOpen(box: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined
}

export interface Ed25519KeyPair {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes: the RFC 8032 seed followed by the public key, as in NaCl. */
  readonly secretKey: Uint8Array
}

/** The primitives that verification needs. */
export type VerificationPrimitives = Pick<Primitives, 'sha256' | 'ed25519Verify'>

/**
 * The mathematics of a curve library, without the checks of {@link Primitives}: `createJsPrimitives` checks lengths and
 * encodings before it calls one of these. So `ed25519Verify` gets a canonical S, and canonical encodings of R and the
 * key that are not of small order, though there may be no such points. `x25519` returns 32 zero bytes for a public key of
 * small order.
 */
export type Curves = Pick<
  Primitives,
  'name' | 'ed25519KeyPair' | 'ed25519Sign' | 'ed25519Verify' | 'x25519PublicKey' | 'x25519'
>
