/** Public keys as an option of a command: a JWK, a JWK Set, PEM, or 32 bytes in base64url. */
import { createPublicKey } from 'node:crypto'
import { type KnownKey, knownKey } from 'miniseal-verify/explain'
import { z } from 'zod'

/** The message never contains the text. */
export class UnreadableKey extends Error {}

const jwk = z.object({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string(),
  kid: z.string().optional(),
  miniseal_use: z.enum(['token', 'message']).optional(),
  d: z.unknown().optional(),
})

const jwkSet = z.object({ keys: z.array(z.unknown()) })

/** @throws UnreadableKey, also for a private key: it must not be in a command line. */
export function readKeys(text: string, source: KnownKey['source']): readonly KnownKey[] {
  const trimmed = text.trim()
  if (/PRIVATE KEY/.test(trimmed)) throw new UnreadableKey('that is a private key: give the public one')
  if (trimmed.startsWith('-----BEGIN')) return [fromPem(trimmed, source)]
  if (trimmed.startsWith('{')) return fromJson(trimmed, source)
  const raw = Buffer.from(trimmed, 'base64url')
  if (raw.length !== 32 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed))
    throw new UnreadableKey('a key is a JWK, a JWK Set, PEM, or 32 bytes in base64url')
  return [knownKey(new Uint8Array(raw), undefined, source)]
}

function fromJson(text: string, source: KnownKey['source']): readonly KnownKey[] {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new UnreadableKey('the key is not JSON')
  }
  const set = jwkSet.safeParse(value)
  const found = (set.success ? set.data.keys : [value]).flatMap((each) => {
    const parsed = jwk.safeParse(each)
    return parsed.success ? [parsed.data] : []
  })
  if (found.some(({ d }) => d !== undefined))
    throw new UnreadableKey('that is a private key: give the public one')
  const keys = found.flatMap(({ x, kid, miniseal_use: use }) => {
    const raw = Buffer.from(x, 'base64url')
    // A key in a set of the service counts only with its use.
    const hasUse = source !== 'jwks' || use !== undefined
    return raw.length === 32 && hasUse ? [knownKey(new Uint8Array(raw), kid, source, use)] : []
  })
  if (keys.length === 0)
    throw new UnreadableKey(`there is no Ed25519 key ${source === 'jwks' ? 'with miniseal_use ' : ''}in it`)
  return keys
}

function fromPem(text: string, source: KnownKey['source']): KnownKey {
  try {
    const { x } = createPublicKey(text).export({ format: 'jwk' })
    const raw = Buffer.from(x ?? '', 'base64url')
    if (raw.length === 32) return knownKey(new Uint8Array(raw), undefined, source)
  } catch {
    // Refused below.
  }
  throw new UnreadableKey('the PEM holds no Ed25519 public key')
}
