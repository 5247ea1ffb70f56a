/** The names of Ed25519 keys: RFC 7638 JWK thumbprints. */
import { FormatError } from '../errors.ts'
import { encodeAscii, encodeBase64Url } from '../text.ts'
import type { Primitives } from './primitives.ts'

/** The JWK members of a public key, as RFC 8037 (section 2) names them. */
export interface OkpJwk {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519' | 'X25519'
  readonly x: string
}

/** `keyid` and `kid`: base64url SHA-256 of the canonical JWK (RFC 7638, section 3; RFC 8037, appendix A.3). */
export function keyThumbprint(
  primitives: Pick<Primitives, 'sha256'>,
  publicKey: Uint8Array,
  curve: 'Ed25519' | 'X25519' = 'Ed25519',
): string {
  if (publicKey.length !== 32) throw new FormatError('a public key has 32 bytes')
  const jwk = `{"crv":"${curve}","kty":"OKP","x":"${encodeBase64Url(publicKey)}"}`
  return encodeBase64Url(primitives.sha256(encodeAscii(jwk)))
}
