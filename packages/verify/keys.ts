/** The public keys of the service: JWK Sets (RFC 7517, section 5), given or fetched. */
import { ProtocolError } from 'miniseal-protocol/errors'
import { prepareKey } from './primitives.ts'

/** The use of a key: the member `miniseal_use` of its JWK. A key without it is ignored. */
export type KeyUse = 'token' | 'message'

/** A JWK Set, as `/.well-known/jwks.json` and `/.well-known/miniseal-keys.json` serve it. */
export interface JsonWebKeySet {
  readonly keys: readonly {
    readonly kty?: string
    readonly crv?: string
    readonly x?: string
    readonly kid?: string
    readonly miniseal_use?: string
  }[]
}

/** A JWK Set or its address. */
export type KeySource = URL | JsonWebKeySet

/**
 * Finds the public key (32 bytes) with this `kid`, which is attacker-controlled; `undefined` when there is none.
 *
 * @throws ProtocolError `unavailable` when the key set cannot be fetched.
 */
export type FindKey = (kid: string) => Promise<Uint8Array | undefined>

/** Milliseconds. */
const fetchTimeout = 5_000
/** An unknown `kid` causes at most one fetch in this time. */
const cooldown = 30_000
/** A fetched key set is fetched again after this time, so that a withdrawn key stops verifying. */
const maxAge = 600_000

/** A finder for the keys of a set whose `miniseal_use` is `use`. */
export function createKeyFinder(use: KeyUse, source: KeySource): FindKey {
  if (source instanceof URL) return remoteKeyFinder(use, source)
  const keys = readKeySet(use, source)
  return async (kid) => keys.get(kid)
}

function remoteKeyFinder(use: KeyUse, address: URL): FindKey {
  let cached: { readonly keys: ReadonlyMap<string, Uint8Array>; readonly at: number } | undefined
  let pending: Promise<ReadonlyMap<string, Uint8Array>> | undefined
  const refresh = async (): Promise<ReadonlyMap<string, Uint8Array>> => {
    try {
      const keys = readKeySet(use, await fetchKeySet(address))
      cached = { keys, at: performance.now() }
      return keys
    } finally {
      pending = undefined
    }
  }
  return async (kid) => {
    const age = cached === undefined ? Number.POSITIVE_INFINITY : performance.now() - cached.at
    const known = age < maxAge ? cached?.keys.get(kid) : undefined
    if (known !== undefined || age < cooldown) return known
    pending ??= refresh()
    return (await pending).get(kid)
  }
}

/** @throws ProtocolError `unavailable` */
async function fetchKeySet(address: URL): Promise<JsonWebKeySet> {
  try {
    const response = await fetch(address, {
      headers: { accept: 'application/json' },
      redirect: 'error',
      signal: AbortSignal.timeout(fetchTimeout),
    })
    if (response.status !== 200) throw new Error(`status ${response.status}`)
    const value: unknown = await response.json()
    if (!isKeySet(value)) throw new Error('not a JWK Set')
    return value
  } catch (error) {
    throw new ProtocolError('unavailable', 'the keys of the service cannot be fetched', error)
  }
}

function isKeySet(value: unknown): value is JsonWebKeySet {
  if (typeof value !== 'object' || value === null || !('keys' in value)) return false
  return Array.isArray(value.keys) && value.keys.every((key) => typeof key === 'object' && key !== null)
}

/** Ed25519 keys by `kid`. A `kid` that occurs twice is ambiguous and ignored. */
function readKeySet(use: KeyUse, { keys }: JsonWebKeySet): ReadonlyMap<string, Uint8Array> {
  const found = new Map<string, Uint8Array>()
  const ambiguous = new Set<string>()
  for (const key of keys) {
    const { kty, crv, kid, x, miniseal_use }: Readonly<Record<string, unknown>> = key
    if (kty !== 'OKP' || crv !== 'Ed25519' || miniseal_use !== use) continue
    if (typeof kid !== 'string' || typeof x !== 'string') continue
    const publicKey = new Uint8Array(Buffer.from(x, 'base64url'))
    if (publicKey.length !== 32) continue
    if (found.has(kid)) ambiguous.add(kid)
    prepareKey(publicKey)
    found.set(kid, publicKey)
  }
  for (const kid of ambiguous) found.delete(kid)
  return found
}
