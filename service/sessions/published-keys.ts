/** The service's JWK Set as others see it: the keys of its tokens and signatures, by their `kid`. */
import type { CryptoKey, JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, createRemoteJWKSet, errors, exportJWK } from 'jose'
import { ProtocolError, refuseFormat } from '../../crypto/errors.ts'
import { decodeBase64Url } from '../../crypto/text.ts'

/** A JWK Set (RFC 7517, section 5), as `/.well-known/jwks.json` has it. */
export type JsonWebKeySet = JSONWebKeySet

export interface PublishedKeys {
  /** For `jose`. */
  readonly forToken: JWTVerifyGetKey
  /**
   * The Ed25519 public key of this name, 32 bytes. Names are attacker-controlled.
   *
   * @throws ProtocolError `key_unknown`, or `unavailable` when the keys cannot be fetched.
   */
  findPublicKey(kid: string): Promise<Uint8Array>
}

/** One for each address, so that what was fetched is kept; a program has few. */
const remote = new Map<string, JWTVerifyGetKey>()

/** @param jwks the set itself, or its address, which is fetched anew for an unknown name, twice a minute at most */
export function publishedKeys(jwks: URL | JSONWebKeySet): PublishedKeys {
  const find = jwks instanceof URL ? remoteKeys(jwks) : createLocalJWKSet(jwks)
  const forToken: JWTVerifyGetKey = async (header, token) => {
    try {
      return await find(header, token)
    } catch (error) {
      if (isUnknown(error)) throw error
      throw new ProtocolError('unavailable', 'the keys of the service cannot be read', error)
    }
  }
  return {
    forToken,
    async findPublicKey(kid) {
      const key = await findSigning(forToken, kid)
      const { x } = await exportJWK(key)
      if (x === undefined) throw new ProtocolError('key_unknown', 'the key of this name is of another kind')
      return refuseFormat('key_unknown', () => decodeBase64Url(x))
    },
  }
}

function remoteKeys(address: URL): JWTVerifyGetKey {
  const known = remote.get(address.href) ?? createRemoteJWKSet(address)
  remote.set(address.href, known)
  return known
}

async function findSigning(find: JWTVerifyGetKey, kid: string): Promise<CryptoKey | Uint8Array> {
  try {
    const key = await find({ alg: 'EdDSA', kid }, { payload: '', signature: '' })
    if (key instanceof Uint8Array) return key
    return key as CryptoKey
  } catch (error) {
    if (isUnknown(error)) throw new ProtocolError('key_unknown', 'the service has no key of this name', error)
    throw error
  }
}

function isUnknown(error: unknown): boolean {
  return error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys
}
