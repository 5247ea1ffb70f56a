/** Replacing keys by hand: the root key in two steps, and any key at once when it has leaked. */
import type { ServiceKeyKind } from '../store/service-keys.ts'
import type { Store, Write } from '../store/store.ts'
import type { Keyring } from './keyring.ts'
import { forever } from './keyring.ts'
import type { ServiceKey } from './service-key.ts'
import { makeServiceKey } from './service-key.ts'
import type { SecretWrapper } from './wrapping.ts'

/** Kinds whose keys can be ended at once; lookup keys stay. */
export type EndableKind = 'root' | 'agreement' | 'signing' | 'token' | 'log'

/** What was asked for does not fit the keys that there are; the message is for the operator. */
export class ReplacementRefused extends Error {}

/**
 * Makes the next root key. It is exported, to be pinned, and signs nothing until {@link useRootKey}.
 *
 * @returns its kid
 * @throws ReplacementRefused while another one waits for its use.
 */
export async function createNextRoot(
  store: Store,
  wrapper: SecretWrapper,
  keyring: Keyring,
  now: number,
): Promise<string> {
  const waiting = keyring.published('root', now).find(({ notBefore }) => notBefore > now)
  if (waiting !== undefined) {
    throw new ReplacementRefused(`the root key ${waiting.kid} waits for its use already`)
  }
  const key = makeServiceKey('root', wrapper, { now, notBefore: forever })
  await commitAll(store, [{ kind: 'insert-service-key', key }])
  return key.kid
}

/**
 * From `at` on configurations are signed with this root key. The others stay, so that one can go back to them.
 *
 * @returns when it is used, UNIX seconds
 * @throws ReplacementRefused for a key that is not there, or that signs already.
 */
export async function useRootKey(
  store: Store,
  keyring: Keyring,
  kid: string,
  at: number,
  now: number,
): Promise<number> {
  const current = keyring.current('root', now)
  if (current.kid === kid) throw new ReplacementRefused('this root key is in use')
  find(keyring, 'root', kid, now)
  // Of two keys the one that came into use later counts.
  const notBefore = Math.max(at, current.notBefore + 1)
  await commitAll(store, [{ kind: 'activate-service-key', keyKind: 'root', kid, notBefore }])
  return notBefore
}

/**
 * Ends a key at once. When no other one is in use then, the next one comes into use at once.
 *
 * @returns the kid of the key that is in use afterwards
 * @throws ReplacementRefused for a key that is not there, and for the only one.
 */
export async function endKeyNow(
  store: Store,
  keyring: Keyring,
  kind: EndableKind,
  kid: string,
  now: number,
): Promise<string> {
  find(keyring, kind, kid, now)
  const [next] = keyring.published(kind, now).filter((key) => key.kid !== kid && lasts(key))
  if (next === undefined) {
    throw new ReplacementRefused(`it is the only ${kind} key: make the next one with keys rotate ${kind}`)
  }
  const start: Write = { kind: 'activate-service-key', keyKind: kind, kid: next.kid, notBefore: now }
  await commitAll(store, [
    ...(next.notBefore > now ? [start] : []),
    { kind: 'revoke-service-key', keyKind: kind, kid, now },
  ])
  return next.kid
}

/** A key that was rotated away is no successor: it ends by itself, and must not be all that is left. */
function lasts({ notAfter }: ServiceKey): boolean {
  return notAfter === 0
}

function find(keyring: Keyring, kind: ServiceKeyKind, kid: string, now: number): ServiceKey {
  const key = keyring.published(kind, now).find((candidate) => candidate.kid === kid)
  if (key === undefined) throw new ReplacementRefused(`there is no ${kind} key ${kid}: see keys list`)
  return key
}

async function commitAll(store: Store, writes: readonly Write[]): Promise<void> {
  const result = await store.commit(writes)
  if (result.kind === 'refused') {
    throw new ReplacementRefused('the keys were changed by somebody else at the same time: look again')
  }
}
