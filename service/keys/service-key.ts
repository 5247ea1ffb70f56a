/** The service's own keys: generating, naming, wrapping and reading (protocol, section 3). */
import { randomBytes } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { ServiceKeyKind, ServiceKeyRecord } from '../store/service-keys.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'
import { type SecretContext, type SecretWrapper, secretContext } from './wrapping.ts'

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

/** Every kind, in the order of their creation. */
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

/** Generates a key from a random seed and wraps it. `notBefore`: when it may first be used. */
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
 * Reads a stored key. Name and public key are derived again from the secret, which alone is authenticated: somebody with
 * write access to the database must not make the service publish their key.
 *
 * @throws Error when the secret cannot be unwrapped with a configured master key, or does not match its row.
 */
export function readServiceKey(record: ServiceKeyRecord, wrapper: SecretWrapper): ServiceKey {
  const seed = wrapper.unwrap(record.secretWrapped, contextOf(record.kind, record.kid))
  const secretKey = isEd25519(record.kind) ? sodiumPrimitives.ed25519KeyPair(seed).secretKey : seed
  const { kind, notBefore, notAfter, createdAt } = record
  const { kid, publicKey } = publicPart(kind, seed)
  if (kid !== record.kid || !equalBytes(publicKey, record.publicKey)) {
    throw new Error(`the public part of the ${kind} key in the database does not match its secret`)
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
