/** What the store keeps of idempotency keys, and the writes on it (protocol, section 8). */

/** The writes on idempotency records. */
export type IdempotencyWrite =
  /** Refused when the user has used this key before, settled or not, until it is pruned. `fingerprint` is 32 bytes. */
  | {
      readonly kind: 'claim-idempotency'
      readonly user: string
      readonly key: string
      readonly fingerprint: Uint8Array
      readonly now: number
      readonly expiresAt: number
    }
  /**
   * Stores the answer, or null when nobody can say what happened. Refused unless claimed, not settled, and still the
   * caller's: started at `startedAt`, its claim's or its take-over's `now`.
   */
  | {
      readonly kind: 'settle-idempotency'
      readonly user: string
      readonly key: string
      readonly startedAt: number
      readonly answerWrapped: Uint8Array | null
      readonly now: number
    }
  /**
   * Lets another request work on an open claim: it starts at `now`. Refused when it is settled, or when it started at
   * `startedBefore` or later; so of any number of simultaneous ones exactly one commits, as long as `now` is not less.
   */
  | {
      readonly kind: 'take-over-idempotency'
      readonly user: string
      readonly key: string
      readonly startedBefore: number
      readonly now: number
    }
  /**
   * Gives a claim back that was taken over, as lost as it was: the next repetition may take it over at once. Refused as
   * `settle-idempotency` is.
   */
  | {
      readonly kind: 'abandon-idempotency'
      readonly user: string
      readonly key: string
      readonly startedAt: number
    }
  /** Takes a claim back, because nothing happened. Refused as `settle-idempotency` is. */
  | {
      readonly kind: 'release-idempotency'
      readonly user: string
      readonly key: string
      readonly startedAt: number
    }

/** What a user asked for under an idempotency key, and what came of it. */
export interface IdempotencyRecord {
  readonly user: string
  readonly key: string
  readonly fingerprint: Uint8Array
  /** 0: its process has died (SQLite; see `openSqliteStore`), or whoever took it over has given it back. */
  readonly startedAt: number
  /** null while it runs, or when the process died while it ran. */
  readonly settledAt: number | null
  /** null: not settled, or settled without anybody knowing what happened. */
  readonly answerWrapped: Uint8Array | null
  readonly expiresAt: number
}
