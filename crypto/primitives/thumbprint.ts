/** Key identifiers: JWK thumbprints (RFC 7638). */
import { FormatError } from '../errors.ts'
import { encodeAscii, encodeBase64Url } from '../text.ts'
import type { Primitives } from './primitives.ts'

/**
 * `keyid` and `kid`: base64url SHA-256 of the canonical JWK (RFC 7638, section 3; RFC 8037, appendix A.3).
 * @throws FormatError unless the key has 32 bytes.
 */
export function keyThumbprint(
  primitives: Pick<Primitives, 'sha256'>,
  publicKey: Uint8Array,
  curve: 'Ed25519' | 'X25519' = 'Ed25519',
): string {
  if (publicKey.length !== 32) throw new FormatError('a public key must have 32 bytes')
  const jwk = `{"crv":"${curve}","kty":"OKP","x":"${encodeBase64Url(publicKey)}"}`
  return encodeBase64Url(primitives.sha256(encodeAscii(jwk)))
}
