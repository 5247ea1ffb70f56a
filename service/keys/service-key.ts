/** The service's own keys: how one is made, named, wrapped and read back (protocol, section 3). */
import { randomBytes } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { ServiceKeyKind, ServiceKeyRecord } from '../store/service-keys.ts'
import { secretContext } from './secret-places.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'
import type { SecretContext, SecretWrapper } from './wrapping.ts'

/** A key in memory. `secretKey`: Ed25519 64 bytes, X25519 and lookup 32 bytes. Times in UNIX seconds. */
export interface ServiceKey {
  readonly kid: string
  readonly kind: ServiceKeyKind
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
  readonly notBefore: number
  /** 0: no end. */
  readonly notAfter: number
  readonly createdAt: number
}

/** Every kind, in the order in which they are made. */
export const serviceKeyKinds: readonly ServiceKeyKind[] = [
  'root',
  'agreement',
  'signing',
  'token',
  'log',
  'lookup',
]

function contextOf(kind: ServiceKeyKind, kid: string): SecretContext {
  return secretContext('service_keys.secret_wrapped', [kind, kid])
}

/**
 * A fresh key. Its seed comes from the system's generator and is wrapped at once.
 *
 * @param notBefore when it may first be used
 */
export function makeServiceKey(
  kind: ServiceKeyKind,
  wrapper: SecretWrapper,
  times: { readonly now: number; readonly notBefore: number },
): ServiceKeyRecord {
  const seed = new Uint8Array(randomBytes(32))
  const { kid, publicKey } = publicPart(kind, seed)
  return {
    kid,
    kind,
    publicKey,
    secretWrapped: wrapper.wrap(seed, contextOf(kind, kid)),
    notBefore: times.notBefore,
    notAfter: 0,
    createdAt: times.now,
  }
}

/**
 * Reads a stored key. Name and public key are made anew from the secret: only that is protected in the database, and
 * who can write there must not have us publish a key of theirs.
 *
 * @throws Error when the secret does not open with a configured master key, or is not that of the row.
 */
export function readServiceKey(record: ServiceKeyRecord, wrapper: SecretWrapper): ServiceKey {
  const seed = wrapper.unwrap(record.secretWrapped, contextOf(record.kind, record.kid))
  const secretKey = isEd25519(record.kind) ? sodiumPrimitives.ed25519KeyPair(seed).secretKey : seed
  const { kind, notBefore, notAfter, createdAt } = record
  const { kid, publicKey } = publicPart(kind, seed)
  if (kid !== record.kid || !equalBytes(publicKey, record.publicKey)) {
    throw new Error(`the ${kind} key in the database is not the one of its secret`)
  }
  return { kid, kind, publicKey, secretKey, notBefore, notAfter, createdAt }
}

function isEd25519(kind: ServiceKeyKind): boolean {
  return kind !== 'agreement' && kind !== 'lookup'
}

function publicPart(kind: ServiceKeyKind, seed: Uint8Array): { kid: string; publicKey: Uint8Array } {
  if (kind === 'lookup') {
    const digest = sodiumPrimitives.sha256(new Uint8Array([...Buffer.from('miniseal lookup key\n'), ...seed]))
    return { kid: encodeBase64Url(digest), publicKey: new Uint8Array(0) }
  }
  if (kind === 'agreement') {
    const publicKey = sodiumPrimitives.x25519PublicKey(seed)
    return { kid: keyThumbprint(sodiumPrimitives, publicKey, 'X25519'), publicKey }
  }
  const { publicKey } = sodiumPrimitives.ed25519KeyPair(seed)
  return { kid: keyThumbprint(sodiumPrimitives, publicKey), publicKey }
}
