/** Writes with test data, distinguished by `seed`. */
import type { Store, WriteOf } from '../../../service/store/store.ts'

/** The current time of every test: UNIX seconds. */
export const NOW = 1_764_000_000
export const HOUR = 3_600
export const DAY = 86_400

export function bytes(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (seed * 31 + i) % 256)
}

export function claimNonce(seed: number, expiresAt = NOW + 240): WriteOf<'claim-nonce'> {
  const nonce = new Uint8Array(16)
  new DataView(nonce.buffer).setUint32(0, seed)
  return { kind: 'claim-nonce', scope: 'device', nonce, expiresAt }
}

export function claimLoginCode(seed: number, expiresAt = NOW + 600): WriteOf<'claim-login-code'> {
  return { kind: 'claim-login-code', hash: bytes(32, seed), expiresAt }
}

export function putUser(id = 'user-1', now = NOW): WriteOf<'upsert-user'> {
  return {
    kind: 'upsert-user',
    id,
    app: 'wxapp',
    openidWrapped: bytes(40, 1),
    sessionKeyWrapped: bytes(48, 2),
    now,
  }
}

export function putDevice(id = 'device-1', user = 'user-1', now = NOW): WriteOf<'upsert-device'> {
  return { kind: 'upsert-device', id, user, publicKey: bytes(32, 3), platform: 'ios', now }
}

export function insertSession(seed = 1, createdAt = NOW, user = 'user-1'): WriteOf<'insert-session'> {
  return {
    kind: 'insert-session',
    session: {
      id: bytes(16, seed),
      user,
      device: 'device-1',
      app: 'wxapp',
      c2sWrapped: bytes(60, 4),
      s2cWrapped: bytes(60, 5),
      createdAt,
      expiresAt: createdAt + 2 * HOUR,
      requiredAcr: null,
    },
  }
}

export function touchSession(seed = 1, now = NOW + 1): WriteOf<'touch-session'> {
  return { kind: 'touch-session', id: bytes(16, seed), now }
}

export function endSession(seed = 1, now = NOW + 1, user = 'user-1'): WriteOf<'end-session'> {
  return { kind: 'end-session', id: bytes(16, seed), user, reason: 'logout', now }
}

export function insertServiceKey(kid = 'key-1', createdAt = NOW): WriteOf<'insert-service-key'> {
  return {
    kind: 'insert-service-key',
    key: {
      kid,
      kind: 'signing',
      publicKey: bytes(32, 6),
      secretWrapped: bytes(80, 7),
      notBefore: createdAt,
      notAfter: 0,
      createdAt,
    },
  }
}

export function endServiceKey(kid = 'key-1', notAfter = NOW + 5): WriteOf<'retire-service-key'> {
  return { kind: 'retire-service-key', keyKind: 'signing', kid, notAfter }
}

/** A user with a device and session 1. @throws Error when the store refuses it. */
export async function login(store: Store): Promise<void> {
  const result = await store.commit([putUser(), putDevice(), insertSession()])
  if (result.kind !== 'committed') throw new Error(`refused: ${result.write.kind}`)
}

export function insertStepUp(seed = 1, expiresAt = NOW + 180): WriteOf<'insert-step-up'> {
  const challenge = bytes(32, seed)
  return {
    kind: 'insert-step-up',
    challenge,
    user: 'user-1',
    device: 'device-1',
    fingerprint: bytes(32, 9),
    expiresAt,
  }
}

export function useStepUp(seed = 1, now = NOW + 1): WriteOf<'consume-step-up'> {
  const { challenge, user, device, fingerprint } = insertStepUp(seed)
  return { kind: 'consume-step-up', challenge, user, device, fingerprint, now }
}

export function raiseSoterCounter(counter: number, seed = 1): WriteOf<'raise-soter-counter'> {
  return { kind: 'raise-soter-counter', id: bytes(32, seed), counter, now: NOW }
}

export function claimIdempotency(key: string, user = 'user-1', now = NOW): WriteOf<'claim-idempotency'> {
  return { kind: 'claim-idempotency', user, key, fingerprint: bytes(32, 3), now, expiresAt: now + 90_000 }
}

/** An event of user-1 that expires after an hour. */
export function pushEvent(
  seed: number,
  parts: Partial<WriteOf<'append-event'>> = {},
): WriteOf<'append-event'> {
  const id = new Uint8Array(16)
  new DataView(id.buffer).setFloat64(0, seed)
  const payloadWrapped = bytes(50, seed)
  return {
    kind: 'append-event',
    user: 'user-1',
    id,
    payloadWrapped,
    now: NOW,
    expiresAt: NOW + HOUR,
    ...parts,
  }
}

export function putIntent(
  seed: number,
  startedAt = NOW,
  userBlindIndex: Uint8Array | null = null,
): WriteOf<'insert-intent'> {
  return {
    kind: 'insert-intent',
    intent: { id: bytes(16, seed), userBlindIndex, draft: bytes(90, seed), startedAt },
  }
}

export function insertSubjectKey(seed = 1, wrap = 1): WriteOf<'insert-subject-key'> {
  return {
    kind: 'insert-subject-key',
    subjectIndex: bytes(8, seed),
    keyWrapped: bytes(60, wrap),
    createdAt: NOW,
  }
}

export function holdSubjectKey(seed = 1, wrap = 1): WriteOf<'lock-subject-key'> {
  return { kind: 'lock-subject-key', subjectIndex: bytes(8, seed), keyWrapped: bytes(60, wrap) }
}
