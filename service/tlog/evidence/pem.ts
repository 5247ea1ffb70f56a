/** Ed25519 public keys as other tools read them: SubjectPublicKeyInfo (RFC 8410, section 4) in PEM. */
import { createPublicKey } from 'node:crypto'
import { encodeBase64Url, encodeUtf8 } from 'miniseal-protocol/text'

/** @param publicKey 32 bytes */
export function publicKeyPem(publicKey: Uint8Array): Uint8Array {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: encodeBase64Url(publicKey) }
  return encodeUtf8(
    createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString(),
  )
}
