/** The service's own keys (protocol, section 3): generated, wrapped, and held in memory in the keyring. */
import { randomBytes } from 'node:crypto'
import { equalBytes } from 'miniseal-protocol/bytes'
import { agreementKeyHint } from 'miniseal-protocol/frames/handshake'
import { keyThumbprint } from 'miniseal-protocol/primitives/thumbprint'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { ServiceKeyKind, ServiceKeyRecord } from '../store/service-keys.ts'
import type { Store } from '../store/store.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'
import { type SecretContext, type SecretWrapper, secretContext } from './wrapping.ts'

/** The lifetime of a channel configuration, in seconds. */
export const configurationLifetime = 86_400

/** The last second of the year 9999, UNIX seconds: the activation of a key that is not active yet. */
export const forever = 253_402_300_799

/** A key in memory. */
export interface ServiceKey extends Omit<ServiceKeyRecord, 'secretWrapped'> {
  /** Ed25519: 64 bytes; X25519 and lookup: 32 bytes. */
  readonly secretKey: Uint8Array
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

/** Generates a key from a random seed and wraps it. @param times UNIX seconds; `notBefore`: of its activation */
export function makeServiceKey(
  kind: ServiceKeyKind,
  wrapper: SecretWrapper,
  times: { readonly now: number; readonly notBefore: number },
): ServiceKeyRecord {
  const seed = new Uint8Array(randomBytes(32))
  const { kid, publicKey } = publicPart(kind, seed)
  const secretWrapped = wrapper.wrap(seed, contextOf(kind, kid))
  return {
    kid,
    kind,
    publicKey,
    secretWrapped,
    notBefore: times.notBefore,
    notAfter: 0,
    createdAt: times.now,
  }
}

/**
 * Reads a stored key. Name and public key are derived again from the secret, because only the secret is authenticated: an
 * attacker with write access to the database must not make the service publish another key.
 *
 * @throws Error when the secret cannot be unwrapped with a configured master key, or does not match its row.
 */
export function readServiceKey(record: ServiceKeyRecord, wrapper: SecretWrapper): ServiceKey {
  const seed = wrapper.unwrap(record.secretWrapped, contextOf(record.kind, record.kid))
  const secretKey = isEd25519(record.kind) ? sodiumPrimitives.ed25519KeyPair(seed).secretKey : seed
  const { secretWrapped: _, ...key } = record
  const { kid, publicKey } = publicPart(key.kind, seed)
  if (kid !== key.kid || !equalBytes(publicKey, key.publicKey))
    throw new Error(`the public part of the ${key.kind} key in the database does not match its secret`)
  return { ...key, secretKey }
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

/** A fault of the installation, never of a request. */
class KeyMissing extends Error {}

export interface Keyring {
  /** The key of this kind to use at `now`: the one activated last. @throws KeyMissing. */
  current(kind: ServiceKeyKind, now: number): ServiceKey
  /** Keys of this kind to publish at `now`: current, future and accepted ones; the current one first. */
  published(kind: ServiceKeyKind, now: number): readonly ServiceKey[]
  /** Every key of this kind, including ended ones, which verify old signatures. */
  known(kind: ServiceKeyKind): readonly ServiceKey[]
  /** The agreement key of a handshake frame. An unknown hint rereads the store, at most once a second. */
  findAgreement(hint: Uint8Array, now: number): Promise<ServiceKey | undefined>
  /** The token key of this name. Rereads the store as {@link Keyring.findAgreement}. */
  findToken(kid: string, now: number): Promise<ServiceKey | undefined>
  /** Rereads the store, for rotations by other processes. */
  reload(): Promise<void>
}

/** Reads the keys, and creates missing ones once, even when several processes start at the same time. */
export async function openKeyring(store: Store, wrapper: SecretWrapper, now: number): Promise<Keyring> {
  const present = new Set((await store.listServiceKeys()).map(({ kind }) => kind))
  if (serviceKeyKinds.some((kind) => !present.has(kind))) await createMissing(store, wrapper, present, now)
  let keys = await readAll(store, wrapper)
  let lastReload = 0
  /** The last results of `published`, which every request uses. */
  const cache = new Map<ServiceKeyKind, { at: number; of: unknown; keys: readonly ServiceKey[] }>()
  const reload = async (): Promise<void> => {
    keys = await readAll(store, wrapper)
  }
  const usable = (kind: ServiceKeyKind, at: number): readonly ServiceKey[] =>
    keys.filter((key) => key.kind === kind && (key.notAfter === 0 || key.notAfter > at))
  /** Another process may have created the key. Names are attacker-controlled, so rereading is limited. */
  const find = async (
    kind: ServiceKeyKind,
    at: number,
    isMatch: (key: ServiceKey) => boolean,
  ): Promise<ServiceKey | undefined> => {
    const known = usable(kind, at).find(isMatch)
    if (known !== undefined || at <= lastReload) return known
    lastReload = at
    await reload()
    return usable(kind, at).find(isMatch)
  }
  const published = (kind: ServiceKeyKind, at: number): readonly ServiceKey[] => {
    const cached = cache.get(kind)
    if (cached?.at === at && cached.of === keys) return cached.keys
    const sorted = [...usable(kind, at)].sort((a, b) => rank(b, at) - rank(a, at) || endOf(b) - endOf(a))
    cache.set(kind, { at, of: keys, keys: sorted })
    return sorted
  }
  return {
    reload,
    published,
    known: (kind) => keys.filter((key) => key.kind === kind),
    current(kind, at) {
      const [key] = published(kind, at)
      if (key === undefined || key.notBefore > at) throw new KeyMissing(`there is no ${kind} key in use`)
      return key
    },
    findAgreement: (hint, at) =>
      find('agreement', at, ({ publicKey }) =>
        equalBytes(agreementKeyHint(sodiumPrimitives, publicKey), hint),
      ),
    findToken: (kid, at) => find('token', at, (key) => key.kid === kid),
  }
}

/** Active keys rank by their activation; future ones come last. */
function rank(key: ServiceKey, at: number): number {
  return key.notBefore > at ? -key.notBefore : key.notBefore
}

/** For sorting: of two keys activated in the same second, the one with an end, which is retired, comes second. */
function endOf({ notAfter }: ServiceKey): number {
  return notAfter === 0 ? Number.MAX_SAFE_INTEGER : notAfter
}

async function readAll(store: Store, wrapper: SecretWrapper): Promise<readonly ServiceKey[]> {
  return (await store.listServiceKeys()).map((record) => readServiceKey(record, wrapper))
}

async function createMissing(
  store: Store,
  wrapper: SecretWrapper,
  present: ReadonlySet<ServiceKeyKind>,
  now: number,
): Promise<void> {
  const missing = serviceKeyKinds.filter((kind) => !present.has(kind))
  // Of several processes that start on an empty database, one gets the claim; the others read its keys.
  await store.commit([
    {
      kind: 'claim-nonce',
      scope: `service-keys/${missing.join('+')}`,
      nonce: new Uint8Array(16),
      expiresAt: forever,
    },
    ...missing.map((kind) => ({
      kind: 'insert-service-key' as const,
      // A first key has no predecessor: notBefore 0 makes it valid for phones with a slow clock too.
      key: makeServiceKey(kind, wrapper, { now, notBefore: kind === 'log' ? now : 0 }),
    })),
  ])
}
