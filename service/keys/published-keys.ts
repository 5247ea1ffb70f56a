/** The service's public keys as backends see them: one JWK Set for tokens, one for message signatures. */
import type { CryptoKey, JSONWebKeySet, JWK, JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, createRemoteJWKSet, customFetch, errors, exportJWK } from 'jose'
import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import { decodeBase64Url } from 'miniseal-protocol/text'
import type { KeyPurpose } from './publication.ts'

/** A JWK Set (RFC 7517, section 5), as `/.well-known/jwks.json` and `/.well-known/miniseal-keys.json` have it. */
export type JsonWebKeySet = JSONWebKeySet

/** A set itself, or its address, which is fetched anew for an unknown name, twice a minute at most. */
export type KeySource = URL | JsonWebKeySet

export interface PublishedKeys {
  /** Token keys, for `jose`. */
  readonly forToken: JWTVerifyGetKey
  /**
   * The message-signing key of this name, 32 bytes. Names are attacker-controlled.
   *
   * @throws ProtocolError `key_unknown`, or `unavailable` when the keys cannot be fetched.
   */
  findMessageKey(kid: string): Promise<Uint8Array>
}

/** One for each purpose and address, so that what was fetched is kept; a program has few. */
const remote = new Map<string, JWTVerifyGetKey>()

/** A key counts only for the purpose that its `miniseal_use` names, whichever of the two sets it stands in. */
export function publishedKeys(tokenKeys: KeySource, messageKeys: KeySource): PublishedKeys {
  const findMessage = keysFor('message', messageKeys)
  return {
    forToken: keysFor('token', tokenKeys),
    async findMessageKey(kid) {
      const { x } = await exportJWK(await findNamed(findMessage, kid))
      if (x === undefined) throw new ProtocolError('key_unknown', 'the key of this name is of another kind')
      return refuseFormat('key_unknown', () => decodeBase64Url(x))
    },
  }
}

function keysFor(purpose: KeyPurpose, source: KeySource): JWTVerifyGetKey {
  const find = source instanceof URL ? remoteKeys(purpose, source) : createLocalJWKSet(only(purpose, source))
  return async (header, token) => {
    try {
      return await find(header, token)
    } catch (error) {
      if (isUnknown(error)) throw error
      throw new ProtocolError('unavailable', 'the keys of the service cannot be read', error)
    }
  }
}

function only(purpose: KeyPurpose, { keys }: JsonWebKeySet): JsonWebKeySet {
  return {
    keys: keys.filter((key: JWK & { readonly miniseal_use?: unknown }) => key.miniseal_use === purpose),
  }
}

function remoteKeys(purpose: KeyPurpose, address: URL): JWTVerifyGetKey {
  const name = `${purpose} ${address.href}`
  const fetchKeys: typeof fetch = async (...request) => {
    const response = await fetch(...request)
    if (response.status !== 200) return response
    return Response.json(only(purpose, (await response.json()) as JsonWebKeySet))
  }
  const known = remote.get(name) ?? createRemoteJWKSet(address, { [customFetch]: fetchKeys })
  remote.set(name, known)
  return known
}

async function findNamed(find: JWTVerifyGetKey, kid: string): Promise<CryptoKey | Uint8Array> {
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
