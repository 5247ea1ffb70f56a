/** Public keys as people have them: a JWK, a JWK Set, a PEM file, or 32 bytes in base64url. */
import { createPublicKey } from 'node:crypto'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { encodeBase64Url } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { KeyPurpose } from '../keys/publication.ts'
import { sodiumPrimitives as primitives } from '../keys/sodium-primitives.ts'
import type { SignatureKind } from './signed-members.ts'

export interface KnownKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** RFC 7638; the `keyid` that a signature by this key names. */
  readonly thumbprint: string
  /** The `kid` that its set gives it. */
  readonly kid: string
  readonly source: 'option' | 'jwks' | 'request'
  /** What its `miniseal_use` says; absent where somebody gave the key alone, or the request did. */
  readonly purpose?: KeyPurpose | undefined
}

/** Whether a key may be the one of a signature of this kind. A key that is marked serves its own purpose alone. */
export function isUsable({ source, purpose }: KnownKey, kind: SignatureKind | 'token'): boolean {
  if (kind === 'device' || kind === 'push') return purpose === undefined
  if (source === 'request') return false
  return purpose === undefined || purpose === (kind === 'token' ? 'token' : 'message')
}

/** No key that can be used; the message never holds the text. */
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

/** @throws UnreadableKey, also for a private key: that belongs into no command line. */
export function readKeys(text: string, source: KnownKey['source']): readonly KnownKey[] {
  const trimmed = text.trim()
  if (/PRIVATE KEY/.test(trimmed)) throw new UnreadableKey('that is a private key: give the public one')
  if (trimmed.startsWith('-----BEGIN')) return [fromPem(trimmed, source)]
  if (trimmed.startsWith('{')) return fromJson(trimmed, source)
  const raw = Buffer.from(trimmed, 'base64url')
  if (raw.length !== 32 || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed))
    throw new UnreadableKey('a key is a JWK, a JWK Set, PEM, or 32 bytes in base64url')
  return [keyOf(new Uint8Array(raw), undefined, source)]
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
  const keys = found.flatMap(({ x, kid, miniseal_use: purpose }) => {
    const raw = Buffer.from(x, 'base64url')
    // In a set of the service's a key without its purpose counts for none.
    const isMarked = source !== 'jwks' || purpose !== undefined
    return raw.length === 32 && isMarked ? [keyOf(new Uint8Array(raw), kid, source, purpose)] : []
  })
  if (keys.length === 0)
    throw new UnreadableKey(`there is no Ed25519 key ${source === 'jwks' ? 'with miniseal_use ' : ''}in it`)
  return keys
}

function fromPem(text: string, source: KnownKey['source']): KnownKey {
  try {
    const { x } = createPublicKey(text).export({ format: 'jwk' })
    const raw = Buffer.from(x ?? '', 'base64url')
    if (raw.length === 32) return keyOf(new Uint8Array(raw), undefined, source)
  } catch {
    // Said below.
  }
  throw new UnreadableKey('the PEM holds no Ed25519 public key')
}

/** @param publicKey 32 bytes */
export function keyOf(
  publicKey: Uint8Array,
  kid: string | undefined,
  source: KnownKey['source'],
  purpose?: KeyPurpose,
): KnownKey {
  const thumbprint = keyThumbprint(primitives, publicKey)
  return { publicKey, thumbprint, kid: kid ?? thumbprint, source, purpose }
}

/** How a person recognises a key. */
export function nameOf({ publicKey, kid }: KnownKey): string {
  return `${kid} (x=${encodeBase64Url(publicKey).slice(0, 8)}…)`
}
