/** Who may push events over HTTP: backends whose keys the operator has named. */
import { FormatError } from '../../crypto/errors.ts'
import { decodeBase64Url } from '../../crypto/text.ts'
import { sodiumPrimitives } from '../keys/sodium-primitives.ts'

export interface PushKey {
  /** The `keyid` of its signatures. */
  readonly name: string
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
}

const form = 'MINISEAL_PUSH_KEYS must be a comma list of name=<Ed25519 public key, 32 bytes in base64url>'

/**
 * Reads `MINISEAL_PUSH_KEYS`, for example `orders=…,support=…`.
 *
 * @throws Error with a message for the operator: for another form, a name twice, and a key that is not canonical or not
 *   of prime order.
 */
export function parsePushKeys(text: string | undefined): readonly PushKey[] {
  const keys = (text?.split(',') ?? []).map((entry) => parseKey(entry.trim()))
  const names = new Set(keys.map(({ name }) => name))
  if (names.size < keys.length) throw new Error('MINISEAL_PUSH_KEYS names a key twice')
  return keys
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
  if (!sodiumPrimitives.isPrimeOrderKey(publicKey))
    throw new Error(`MINISEAL_PUSH_KEYS: the key ${name} is not a canonical Ed25519 key of prime order`)
  return { name, publicKey }
}
