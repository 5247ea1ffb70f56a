/** `MINISEAL_PUSH_KEYS`: the backends that may push events over HTTP. */
import { equalBytes } from 'miniseal-protocol/bytes'
import { FormatError } from 'miniseal-protocol/errors'
import { decodeBase64Url, encodeBase64Url } from 'miniseal-protocol/text'
import type { Keyring } from '../keys/keyring.ts'
import { serviceKeyKinds } from '../keys/service-key.ts'
import { isPrimeOrderKey } from '../keys/sodium-primitives.ts'

export interface PushKey {
  /** The `keyid` of its signatures. */
  readonly name: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

const form = 'MINISEAL_PUSH_KEYS must be a comma list of name=<Ed25519 public key, 32 bytes in base64url>'

/**
 * Parses `MINISEAL_PUSH_KEYS`, for example `orders=…,support=…`.
 *
 * @throws Error for the operator: a malformed entry, a duplicate name or key, a key that is not canonical or not of
 *   prime order.
 */
export function parsePushKeys(text: string | undefined): readonly PushKey[] {
  const keys = (text?.split(',') ?? []).map((entry) => parseKey(entry.trim()))
  if (new Set(keys.map(({ name }) => name)).size < keys.length)
    throw new Error('MINISEAL_PUSH_KEYS names a key twice')
  if (new Set(keys.map(({ publicKey }) => encodeBase64Url(publicKey))).size < keys.length)
    throw new Error('MINISEAL_PUSH_KEYS has one key under two names')
  return keys
}

/** @throws Error when a push key is a service key: each key serves one purpose. */
export function assertNotServiceKeys(keys: readonly PushKey[], keyring: Keyring): void {
  const serviceKeys = serviceKeyKinds.flatMap((kind) => keyring.known(kind))
  for (const { name, publicKey } of keys) {
    const same = serviceKeys.find((key) => equalBytes(key.publicKey, publicKey))
    if (same !== undefined)
      throw new Error(`MINISEAL_PUSH_KEYS: ${name} is the service's own ${same.kind} key`)
  }
}

function parseKey(entry: string): PushKey {
  const [, name, encoded] = /^([a-z][a-z0-9-]{0,63})=([A-Za-z0-9_-]{43})$/.exec(entry) ?? []
  if (name === undefined || encoded === undefined) throw new Error(form)
  let publicKey: Uint8Array
  try {
    publicKey = decodeBase64Url(encoded)
  } catch (error) {
    if (error instanceof FormatError) throw new Error(form)
    throw error
  }
  if (!isPrimeOrderKey(publicKey))
    throw new Error(`MINISEAL_PUSH_KEYS: the key ${name} is not a canonical Ed25519 key of prime order`)
  return { name, publicKey }
}
