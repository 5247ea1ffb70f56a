/** The keyring: all keys of the service in memory, reread from the store (protocol, section 3). */
import { equalBytes } from 'miniseal-protocol/bytes'
import { agreementKeyHint } from 'miniseal-protocol/frames/handshake'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store } from '../store/store.ts'
import { makeServiceKey, readServiceKey, type ServiceKey, serviceKeyKinds } from './service-key.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'
import type { SecretWrapper } from './wrapping.ts'

/** For how long a client keeps a channel configuration, in seconds. */
export const configurationLifetime = 86_400

/** The last second of the year 9999, UNIX seconds: of a key that is not active yet. */
export const forever = 253_402_300_799

/** A fault of the installation, never of a request. */
class KeyMissing extends Error {}

export interface Keyring {
  /** The key of this kind to use at `now`: the one activated last. @throws KeyMissing. */
  current(kind: ServiceKeyKind, now: number): ServiceKey
  /** Keys of this kind to publish at `now`: current, future and still accepted ones; the current one first. */
  published(kind: ServiceKeyKind, now: number): readonly ServiceKey[]
  /** Every key of this kind, including ended ones, which verify old signatures. */
  known(kind: ServiceKeyKind): readonly ServiceKey[]
  /** The agreement key that a handshake frame names. An unknown hint rereads the store, at most once a second. */
  findAgreement(hint: Uint8Array, now: number): Promise<ServiceKey | undefined>
  /** The token key of this name, in the same way. */
  findToken(kid: string, now: number): Promise<ServiceKey | undefined>
  /** Rereads the store, so that a rotation by another process takes effect. */
  reload(): Promise<void>
}

/** Reads the keys, and creates missing ones once, however many processes start at the same time. */
export async function openKeyring(store: Store, wrapper: SecretWrapper, now: number): Promise<Keyring> {
  const present = new Set((await store.listServiceKeys()).map(({ kind }) => kind))
  if (serviceKeyKinds.some((kind) => !present.has(kind))) await createMissing(store, wrapper, present, now)
  let keys = await readAll(store, wrapper)
  let lastReload = 0
  /** The last result of `published`, which every request needs, with its time and keys. */
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
    isWanted: (key: ServiceKey) => boolean,
  ): Promise<ServiceKey | undefined> => {
    const known = usable(kind, at).find(isWanted)
    if (known !== undefined || at <= lastReload) return known
    lastReload = at
    await reload()
    return usable(kind, at).find(isWanted)
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

/** Of two keys activated in the same second, the retired one, which has an end, comes second. */
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
  // The claim lets one process win when several start on an empty database; the others read its keys.
  await store.commit([
    {
      kind: 'claim-nonce',
      scope: `service-keys/${missing.join('+')}`,
      nonce: new Uint8Array(16),
      expiresAt: forever,
    },
    ...missing.map((kind) => ({
      kind: 'insert-service-key' as const,
      // A first key has no predecessor: notBefore 0 makes it valid for a phone whose clock is slow, too.
      key: makeServiceKey(kind, wrapper, { now, notBefore: kind === 'log' ? now : 0 }),
    })),
  ])
}
