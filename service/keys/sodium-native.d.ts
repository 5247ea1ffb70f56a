/**
 * Types of the used part of `sodium-native`, which has none. The first argument receives the result and must have the exact
 * length. A wrong length throws AssertionError; a refusal by libsodium throws Error.
 */
declare module 'sodium-native' {
  interface Sodium {
    crypto_hash_sha256(digest: Uint8Array, message: Uint8Array): void
    crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void
    crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void
    crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean
    crypto_core_ed25519_is_valid_point(point: Uint8Array): boolean
    crypto_scalarmult_base(publicKey: Uint8Array, secret: Uint8Array): void
    crypto_scalarmult(shared: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void
    crypto_secretbox_easy(box: Uint8Array, plaintext: Uint8Array, nonce: Uint8Array, key: Uint8Array): void
    crypto_secretbox_open_easy(
      plaintext: Uint8Array,
      box: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array,
    ): boolean
    /** XChaCha20-Poly1305; the result is 16 bytes longer than the plaintext. Returns its length. */
    crypto_aead_xchacha20poly1305_ietf_encrypt(
      sealed: Uint8Array,
      plaintext: Uint8Array,
      associatedData: Uint8Array,
      none: null,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
    /** Throws when the tag is wrong. */
    crypto_aead_xchacha20poly1305_ietf_decrypt(
      plaintext: Uint8Array,
      none: null,
      sealed: Uint8Array,
      associatedData: Uint8Array,
      nonce: Uint8Array,
      key: Uint8Array,
    ): number
  }
  const sodium: Sodium
  export default sodium
}
