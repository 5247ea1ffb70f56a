/** All keys of the service that are in use, kept in memory and reread from the store (protocol, section 3). */
import { equalBytes } from 'miniseal-protocol/bytes'
import { agreementKeyHint } from 'miniseal-protocol/frames/handshake'
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store } from '../store/store.ts'
import type { ServiceKey } from './service-key.ts'
import { makeServiceKey, readServiceKey, serviceKeyKinds } from './service-key.ts'
import { sodiumPrimitives } from './sodium-primitives.ts'
import type { SecretWrapper } from './wrapping.ts'

/** For how long a client keeps a channel configuration, in seconds. */
export const configurationLifetime = 86_400

/** For how long an old key is good after the new one's first use, in seconds. Tokens are gone after an hour. */
const overlaps: Readonly<Record<RotatableKind, number>> = {
  agreement: configurationLifetime,
  signing: configurationLifetime,
  token: 3_600,
  log: 2 * configurationLifetime,
}

/** The last second of the year 9999, UNIX seconds. */
export const forever = 253_402_300_799

/** A missing key is a fault of the installation, never of a request. */
class KeyMissing extends Error {}

export interface Keyring {
  /** The key of this kind to use at `now`: the one that came into use last. @throws KeyMissing. */
  current(kind: ServiceKeyKind, now: number): ServiceKey
  /** Keys of this kind to publish at `now`: current, coming and still accepted; the current one first. */
  published(kind: ServiceKeyKind, now: number): readonly ServiceKey[]
  /** Every key of this kind that there ever was: those that have ended verify what they signed. */
  known(kind: ServiceKeyKind): readonly ServiceKey[]
  /** The agreement key that a handshake frame names; rereads the store once a second at most for an unknown one. */
  findAgreement(hint: Uint8Array, now: number): Promise<ServiceKey | undefined>
  /** The token key of this name, in the same way. */
  findToken(kid: string, now: number): Promise<ServiceKey | undefined>
  /** Rereads the store, so that a rotation by another process takes effect. */
  reload(): Promise<void>
}

/** Reads the keys; makes those that are missing, once, however many processes start at the same time. */
export async function openKeyring(store: Store, wrapper: SecretWrapper, now: number): Promise<Keyring> {
  const present = new Set((await store.listServiceKeys()).map(({ kind }) => kind))
  if (serviceKeyKinds.some((kind) => !present.has(kind))) await createMissing(store, wrapper, present, now)
  let keys = await readAll(store, wrapper)
  let lastReload = 0
  /** What was published last, of the second and the keys that it holds for: every request asks. */
  const sorted = new Map<ServiceKeyKind, { at: number; of: unknown; keys: readonly ServiceKey[] }>()
  const reload = async (): Promise<void> => {
    keys = await readAll(store, wrapper)
  }
  const usable = (kind: ServiceKeyKind, at: number): readonly ServiceKey[] =>
    keys.filter((key) => key.kind === kind && (key.notAfter === 0 || key.notAfter > at))
  /** Another process may have made the key a moment ago; names are attacker-controlled, so not every one rereads. */
  const find = async (
    kind: ServiceKeyKind,
    at: number,
    isIt: (key: ServiceKey) => boolean,
  ): Promise<ServiceKey | undefined> => {
    const known = usable(kind, at).find(isIt)
    if (known !== undefined || at <= lastReload) return known
    lastReload = at
    await reload()
    return usable(kind, at).find(isIt)
  }
  const published = (kind: ServiceKeyKind, at: number): readonly ServiceKey[] => {
    const known = sorted.get(kind)
    if (known?.at === at && known.of === keys) return known.keys
    const made = [...usable(kind, at)].sort((a, b) => rank(b, at) - rank(a, at) || endOf(b) - endOf(a))
    sorted.set(kind, { at, of: keys, keys: made })
    return made
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

/** Keys in use rank by when they came into use; coming ones last. */
function rank(key: ServiceKey, at: number): number {
  return key.notBefore > at ? -key.notBefore : key.notBefore
}

/** Of two keys of one second the one that was rotated away, and so has an end, comes second. */
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
  // The claim lets one process win when several start on an empty database; the others read what it made.
  await store.commit([
    {
      kind: 'claim-nonce',
      scope: `service-keys/${missing.join('+')}`,
      nonce: new Uint8Array(16),
      expiresAt: forever,
    },
    ...missing.map((kind) => ({
      kind: 'insert-service-key' as const,
      // A first key was never preceded by another: without a beginning, a phone whose clock is behind takes it too.
      key: makeServiceKey(kind, wrapper, { now, notBefore: kind === 'log' ? now : 0 }),
    })),
  ])
}

/**
 * How old a key gets while the service runs, in seconds. What is recorded of a login opens with the agreement key;
 * the others are replaced so that a copy that nobody has noticed is of no use for ever.
 */
const greatestAge: readonly (readonly [RotatableKind, number])[] = [
  ['agreement', 86_400],
  ['signing', 90 * 86_400],
  ['token', 90 * 86_400],
]

/**
 * Rotates the keys that are old enough: agreement after a day, signing and token after 90. Of several processes one
 * does it; the others take its keys up.
 *
 * @returns whether there is a new key
 */
export async function rotateWhenDue(
  store: Store,
  wrapper: SecretWrapper,
  keyring: Keyring,
  now: number,
): Promise<boolean> {
  // A signing key is made a day before its use: the newest one counts, not the one in use.
  const due = (): readonly RotatableKind[] =>
    greatestAge
      .filter(([kind, age]) => keyring.published(kind, now).every(({ createdAt }) => createdAt + age <= now))
      .map(([kind]) => kind)
  if (due().length === 0) return false
  await keyring.reload()
  for (const kind of due()) await rotateOnce(store, wrapper, kind, now)
  await keyring.reload()
  return true
}

async function rotateOnce(
  store: Store,
  wrapper: SecretWrapper,
  kind: RotatableKind,
  now: number,
): Promise<void> {
  try {
    await rotateKey(store, wrapper, kind, now)
  } catch (error) {
    if (!(error instanceof RotatedElsewhere)) throw error
  }
}

/** Somebody else rotated the same key at the same time; theirs is in use. */
class RotatedElsewhere extends Error {}

/** Kinds that are rotated here; for root keys see replacement.ts, lookup keys stay. */
export type RotatableKind = 'agreement' | 'signing' | 'token' | 'log'

/**
 * Makes the next key of a kind and gives the present ones their end.
 *
 * Agreement and token keys are used at once, the old ones accepted until nobody can hold a configuration or a
 * token of theirs. A signing key is published a configuration's lifetime before its first use, so that every
 * client knows it when the first answer carries it. A log key signs at once, beside the old one, which signs on for two
 * such lifetimes: see log-key.ts.
 *
 * @returns the new key's `kid` and when it is first used, UNIX seconds
 */
export async function rotateKey(
  store: Store,
  wrapper: SecretWrapper,
  kind: RotatableKind,
  now: number,
): Promise<{ readonly kid: string; readonly notBefore: number }> {
  const notBefore = kind === 'signing' ? now + configurationLifetime : now
  const overlap = overlaps[kind]
  const key = makeServiceKey(kind, wrapper, { now, notBefore })
  const old = (await store.listServiceKeys()).filter(
    (record) => record.kind === kind && record.notAfter === 0,
  )
  const result = await store.commit([
    { kind: 'insert-service-key', key },
    ...old.map(({ kid }) => ({
      kind: 'retire-service-key' as const,
      keyKind: kind,
      kid,
      notAfter: notBefore + overlap,
    })),
  ])
  if (result.kind === 'refused') {
    throw new RotatedElsewhere(`the ${kind} key was rotated by somebody else at the same time`)
  }
  return { kid: key.kid, notBefore }
}
