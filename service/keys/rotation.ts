/** Rotation of keys, on schedule or by command, of the root key in two steps, and revocation of leaked keys. */
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store, Write } from '../store/store.ts'
import { configurationLifetime, forever, type Keyring, makeServiceKey, type ServiceKey } from './keyring.ts'
import type { SecretWrapper } from './wrapping.ts'

/** Kinds that are rotated in one step. Root keys need two; lookup keys are permanent. */
export type RotatableKind = 'agreement' | 'signing' | 'token' | 'log'

/** Kinds whose keys can be revoked; lookup keys are permanent. */
export type RevocableKind = 'root' | RotatableKind

/** The request contradicts the existing keys; the message is for the operator. */
export class RotationRefused extends Error {}

/** Seconds for which an old key is accepted after the activation of the new one. */
const overlaps: Readonly<Record<RotatableKind, number>> = {
  agreement: configurationLifetime,
  signing: configurationLifetime,
  token: 3_600,
  log: 2 * configurationLifetime,
}

/**
 * The age at which keys are rotated on schedule, in seconds. A leaked agreement key decrypts recorded logins; the others are
 * rotated so that an unnoticed copy becomes useless.
 */
const maxAges: readonly (readonly [RotatableKind, number])[] = [
  ['agreement', 86_400],
  ['signing', 90 * 86_400],
  ['token', 90 * 86_400],
]

/**
 * Rotates the keys that are old enough: agreement after a day, signing and token after 90. Of several processes one rotates;
 * the others read its keys.
 *
 * @returns whether there is a new key
 */
export async function rotateWhenDue(
  store: Store,
  wrapper: SecretWrapper,
  keyring: Keyring,
  now: number,
): Promise<boolean> {
  // The age of the newest key counts: a signing key is created a day before its activation.
  const due = (): readonly RotatableKind[] =>
    maxAges
      .filter(([kind, age]) => keyring.published(kind, now).every(({ createdAt }) => createdAt + age <= now))
      .map(([kind]) => kind)
  if (due().length === 0) return false
  await keyring.reload()
  for (const kind of due()) {
    try {
      await rotateKey(store, wrapper, kind, now)
    } catch (error) {
      if (!(error instanceof RotatedConcurrently)) throw error
    }
  }
  await keyring.reload()
  return true
}

/** Another process rotated the same key at the same time; its key is in use. */
class RotatedConcurrently extends Error {}

/**
 * Creates the next key of a kind and sets the end of the present ones.
 *
 * Agreement and token keys are active at once; the old ones are accepted until every configuration or token that uses them
 * has expired. A signing key is published a configuration's lifetime before its activation, so that every client has it when
 * the first response uses it. A log key signs at once; the old one also signs for two such lifetimes: see
 * `announcedLogKey`.
 *
 * @returns the new key's `kid` and its activation, UNIX seconds
 */
export async function rotateKey(
  store: Store,
  wrapper: SecretWrapper,
  kind: RotatableKind,
  now: number,
): Promise<{ readonly kid: string; readonly notBefore: number }> {
  const notBefore = kind === 'signing' ? now + configurationLifetime : now
  const key = makeServiceKey(kind, wrapper, { now, notBefore })
  const old = (await store.listServiceKeys()).filter(
    (record) => record.kind === kind && record.notAfter === 0,
  )
  const notAfter = notBefore + overlaps[kind]
  const result = await store.commit([
    { kind: 'insert-service-key', key },
    ...old.map(({ kid }) => ({ kind: 'retire-service-key' as const, keyKind: kind, kid, notAfter })),
  ])
  if (result.kind === 'refused')
    throw new RotatedConcurrently(`another process rotated the ${kind} key at the same time`)
  return { kid: key.kid, notBefore }
}

/**
 * Creates the next root key. It is exported, to be pinned, and signs nothing until {@link activateRootKey}.
 *
 * @returns its kid
 * @throws RotationRefused while another one awaits its activation.
 */
export async function createNextRootKey(
  store: Store,
  wrapper: SecretWrapper,
  keyring: Keyring,
  now: number,
): Promise<string> {
  const next = keyring.published('root', now).find(({ notBefore }) => notBefore > now)
  if (next !== undefined) throw new RotationRefused(`the root key ${next.kid} already awaits its activation`)
  const key = makeServiceKey('root', wrapper, { now, notBefore: forever })
  await commitAll(store, [{ kind: 'insert-service-key', key }])
  return key.kid
}

/**
 * Signs configurations with this root key from `at` on. The other keys remain, so that the operator can reactivate them.
 *
 * @returns its activation, UNIX seconds
 * @throws RotationRefused for an unknown key, or for the current one.
 */
export async function activateRootKey(
  store: Store,
  keyring: Keyring,
  kid: string,
  at: number,
  now: number,
): Promise<number> {
  const current = keyring.current('root', now)
  if (current.kid === kid) throw new RotationRefused('this root key is in use')
  assertPublished(keyring, 'root', kid, now)
  // Of two keys the one activated later is current.
  const notBefore = Math.max(at, current.notBefore + 1)
  await commitAll(store, [{ kind: 'activate-service-key', keyKind: 'root', kid, notBefore }])
  return notBefore
}

/**
 * Ends a key at once. When no other one is active, the next one is activated at once.
 *
 * @returns the kid of the key that is in use afterwards
 * @throws RotationRefused for an unknown key, and for the only one.
 */
export async function revokeKey(
  store: Store,
  keyring: Keyring,
  kind: RevocableKind,
  kid: string,
  now: number,
): Promise<string> {
  assertPublished(keyring, kind, kid, now)
  const [next] = keyring.published(kind, now).filter((key) => key.kid !== kid && hasNoEnd(key))
  if (next === undefined)
    throw new RotationRefused(`it is the only ${kind} key: create the next one with keys rotate ${kind}`)
  const activate: Write = { kind: 'activate-service-key', keyKind: kind, kid: next.kid, notBefore: now }
  await commitAll(store, [
    ...(next.notBefore > now ? [activate] : []),
    { kind: 'revoke-service-key', keyKind: kind, kid, now },
  ])
  return next.kid
}

/** A retired key is no successor: after its end there would be no key. */
function hasNoEnd({ notAfter }: ServiceKey): boolean {
  return notAfter === 0
}

function assertPublished(keyring: Keyring, kind: ServiceKeyKind, kid: string, now: number): void {
  if (!keyring.published(kind, now).some((key) => key.kid === kid))
    throw new RotationRefused(`there is no ${kind} key ${kid}: see keys list`)
}

async function commitAll(store: Store, writes: readonly Write[]): Promise<void> {
  const result = await store.commit(writes)
  if (result.kind === 'refused')
    throw new RotationRefused('another process changed the keys at the same time: try again')
}
