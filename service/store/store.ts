/**
 * What the service asks of its database: one contract, two engines (SQLite, PostgreSQL), one suite of tests.
 *
 * - **Times** are whole UNIX seconds and always arguments: the store has no clock, so two processes with different
 *   clocks disagree in their callers, never in here.
 * - **Byte strings** are `Uint8Array`, copied out of the driver. Wrapped secrets are opaque: the store never sees a key.
 * - **Text** must not hold U+0000 (PostgreSQL cannot store it); the parsers in front of the store refuse it.
 * - **Absence** is `undefined` for a whole record and `null` for a column that has no value.
 */
import type { AuditorReads, AuditorWrite } from './auditor-writes.ts'
import type { DeviceWrite } from './device-writes.ts'
import type { EventReads, EventWrite, Watching } from './events.ts'
import type { IdempotencyRecord, IdempotencyWrite } from './idempotency-records.ts'
import type { AppenderReads } from './journal-statements.ts'
import type { AppenderWrite } from './journal-writes.ts'
import type { LogCheckReads } from './log-check-reads.ts'
import type { LogReads } from './log-reads.ts'
import type { LogSearching } from './log-search.ts'
import type { LogSequencing } from './log-sequence.ts'
import type { LogWrite } from './log-writes.ts'
import type { ServiceKeyWrite } from './service-key-writes.ts'
import type { StepUpRecord, StepUpWrite } from './step-ups.ts'
import type { SubjectKeyReads, SubjectKeyWrite } from './subject-key-statements.ts'
import type { SwapWrapped, WrappedReads } from './wrapped-values.ts'

/**
 * One effect on the database, as data. Each touches exactly one row or is *refused*: its condition did not hold, or a
 * constraint of the tables forbids it (a session of a device that does not exist). Only a
 * `BulkWrite`, a `ForgettingWrite` and `delete-checkpoint` are for any number.
 */
export type Write =
  | DeviceWrite
  /**
   * Refused when (scope, nonce) is there already, expired or not. Of any number of simultaneous claims, in any number
   * of processes, exactly one commits. 16 bytes, attacker-controlled.
   */
  | {
      readonly kind: 'claim-nonce'
      readonly scope: string
      readonly nonce: Uint8Array
      readonly expiresAt: number
    }
  /** As `claim-nonce`, for the SHA-256 of a `wx.login` code: 32 bytes. */
  | { readonly kind: 'claim-login-code'; readonly hash: Uint8Array; readonly expiresAt: number }
  /**
   * Refused unless the session is active: not ended, `expires_at > now`, its device not revoked. Sets `last_seen_at`.
   * Against `end-session` the one that commits first wins; once an end has been acknowledged no touch succeeds.
   */
  | { readonly kind: 'touch-session'; readonly id: Uint8Array; readonly now: number }
  /** Inserts, or replaces the two secrets. Refused when `id` belongs to another app. */
  | {
      readonly kind: 'put-user'
      readonly id: string
      readonly app: string
      readonly openidWrapped: Uint8Array
      readonly sessionKeyWrapped: Uint8Array
      readonly now: number
    }
  /**
   * Inserts, or sets `last_seen_at` (and the platform, when given) of the same user's device with the same key.
   * Refused for another user, another key (32 bytes), or a revoked device: revocation is for ever.
   */
  | {
      readonly kind: 'put-device'
      readonly id: string
      readonly user: string
      readonly publicKey: Uint8Array
      readonly platform?: string
      readonly now: number
    }
  /** Refused when the id is taken, or when user or device do not exist. */
  | { readonly kind: 'insert-session'; readonly session: NewSession }
  /** Refused unless the session is `user`'s, not ended, and `expires_at > now`. */
  | {
      readonly kind: 'end-session'
      readonly id: Uint8Array
      readonly user: string
      readonly reason: string
      readonly now: number
    }
  | ServiceKeyWrite
  | SwapWrapped
  | IdempotencyWrite
  | StepUpWrite
  | EventWrite
  | LogWrite
  | AuditorWrite
  | SubjectKeyWrite
  | AppenderWrite

/** The write of one kind. */
export type WriteOf<K extends Write['kind']> = Extract<Write, { readonly kind: K }>

/**
 * `refused` names the first write that was refused and its place in the list; nothing of the list has happened.
 * It is released only after what it lost against is durable.
 */
export type CommitResult =
  | { readonly kind: 'committed' }
  | { readonly kind: 'refused'; readonly write: Write; readonly index: number }

export type ServiceKeyKind = 'root' | 'agreement' | 'signing' | 'token' | 'log' | 'lookup'

export interface NewSession {
  /** 16 bytes, the protocol's `sid`. */
  readonly id: Uint8Array
  readonly user: string
  readonly device: string
  readonly app: string
  readonly c2sWrapped: Uint8Array
  readonly s2cWrapped: Uint8Array
  /** Also the first `lastSeenAt`. */
  readonly createdAt: number
  /** The first second at which the session is over. */
  readonly expiresAt: number
  /** `soter`: what has an effect is confirmed by finger or face, whatever its route asks for. */
  readonly requiredAcr: 'soter' | null
}

/** A session with what a request needs to know of its device. */
export interface SessionRecord extends NewSession {
  readonly lastSeenAt: number
  readonly endedAt: number | null
  /** `logout`, `revoked`, `expired`, …; null while the session has not been ended. */
  readonly endReason: string | null
  /** 32 bytes, Ed25519. */
  readonly devicePublicKey: Uint8Array
  readonly deviceRevokedAt: number | null
  readonly deviceName: string | null
  readonly devicePlatform: string | null
}

export interface DeviceRecord {
  /** RFC 7638 thumbprint of the key. */
  readonly id: string
  readonly user: string
  readonly publicKey: Uint8Array
  readonly name: string | null
  readonly platform: string | null
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly revokedAt: number | null
}

export interface UserRecord {
  /** The pseudonymous subject. */
  readonly id: string
  readonly app: string
  readonly openidWrapped: Uint8Array
  readonly sessionKeyWrapped: Uint8Array
  readonly createdAt: number
  readonly updatedAt: number
}

export interface NewServiceKey {
  readonly kid: string
  readonly kind: ServiceKeyKind
  readonly publicKey: Uint8Array
  readonly secretWrapped: Uint8Array
  readonly notBefore: number
  /** 0 = no end. */
  readonly notAfter: number
  readonly createdAt: number
}

export type ServiceKeyRecord = NewServiceKey

/** Every method rejects with {@link StoreUnavailable} when the database cannot do its part, and after `close`. */
export interface Store
  extends WrappedReads,
    EventReads,
    Watching,
    LogReads,
    LogCheckReads,
    LogSequencing,
    LogSearching,
    AuditorReads,
    SubjectKeyReads,
    AppenderReads {
  /**
   * Runs the writes in the given order in one transaction: all of them or none.
   *
   * Durable when it resolves with `committed`: on the disk, not only in memory. Callers that write the same rows give
   * them in the same order, so that no two transactions wait for each other; should they, the store tries again.
   *
   * @throws StoreUnavailable when the outcome is not known to be durable. Mostly nothing has happened, but when the
   *   connection or the disk fails during the commit itself the writes may turn out to be there: a caller must have
   *   released no effect, and must not repeat the same claims to find out.
   */
  commit(writes: readonly Write[]): Promise<CommitResult>

  /** Whatever its state: the caller looks at `endedAt`, `expiresAt` and `deviceRevokedAt`. */
  findSession(id: Uint8Array): Promise<SessionRecord | undefined>
  findDevice(id: string): Promise<DeviceRecord | undefined>
  findUser(id: string): Promise<UserRecord | undefined>
  /** Newest first; sessions that ended stay in the list until they are pruned. */
  listSessions(user: string): Promise<readonly SessionRecord[]>
  /** Newest first, the revoked ones among them. */
  listDevices(user: string): Promise<readonly DeviceRecord[]>
  /** How many have neither ended nor expired, those of revoked devices included. */
  countSessions(now: number): Promise<number>
  /** Whether (scope, nonce) was claimed, until it is pruned. A claim that is not committed yet is not seen. */
  hasNonce(scope: string, nonce: Uint8Array): Promise<boolean>
  findIdempotency(user: string, key: string): Promise<IdempotencyRecord | undefined>
  /** Whatever its state, until it is pruned. */
  findStepUp(challenge: Uint8Array): Promise<StepUpRecord | undefined>
  /** All of them, in the order they were made. */
  listServiceKeys(): Promise<readonly ServiceKeyRecord[]>

  /**
   * Deletes at most `limit` rows: nonces, login codes, challenges and idempotency records with `expires_at < now`,
   * sessions that ended or expired more than a day before `now`, agreement keys that ended before `now`. Of an outbox
   * it takes events from the oldest one on, up to the newest one that has expired, so that what is left has no gap.
   * Idempotency records without an answer stay 90 days longer: what they stand for may have happened. Details of log
   * entries past their time are forgotten, with what the entry is found by. Small limits keep it from delaying requests;
   * safe in several processes at once.
   *
   * @returns how many rows it deleted or emptied; fewer than `limit` means that nothing is left.
   */
  prune(now: number, limit: number): Promise<number>

  /** Makes a real, durable write that leaves nothing behind, for `/readyz`. */
  assertWritable(): Promise<void>

  /** Waits for the commits that were accepted, then lets the database go. Closing twice is harmless. */
  close(): Promise<void>
}

/**
 * The database did not do what was asked: nothing may be built on the request. The message is safe to log; `cause` is
 * the driver's error.
 */
export class StoreUnavailable extends Error {
  constructor(cause: unknown) {
    super(`the store is unavailable (${codeOf(cause)})`, { cause })
    this.name = 'StoreUnavailable'
  }
}

/** SQLSTATE, `SQLITE_…` or an errno: the only part of a driver's message that never quotes a row. */
function codeOf(cause: unknown): string {
  const code = typeof cause === 'object' && cause !== null && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'no code'
}
