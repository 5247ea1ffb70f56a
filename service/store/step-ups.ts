/** What the store keeps of biometric confirmations (protocol, section 9). */

/** The writes on challenges and counters; a part of `Write`. */
export type StepUpWrite =
  /** Refused when the challenge is there already: 32 bytes, unpredictable. `fingerprint` is 32 bytes. */
  | {
      readonly kind: 'insert-step-up'
      readonly challenge: Uint8Array
      readonly user: string
      readonly device: string
      readonly fingerprint: Uint8Array
      readonly expiresAt: number
    }
  /**
   * Uses a challenge up. Refused unless it was made for exactly this user, device and fingerprint, was not used, and
   * `expires_at > now`. Of any number of simultaneous uses, in any number of processes, exactly one commits.
   */
  | {
      readonly kind: 'use-step-up'
      readonly challenge: Uint8Array
      readonly user: string
      readonly device: string
      readonly fingerprint: Uint8Array
      readonly now: number
    }
  /**
   * Sets the highest counter of a trusted environment. Refused unless it rises: of simultaneous ones with the same
   * counter exactly one commits. `id` is 32 bytes; kept for ever.
   */
  | {
      readonly kind: 'raise-soter-counter'
      readonly id: Uint8Array
      readonly counter: number
      readonly now: number
    }

/** What was asked of a user: a biometric confirmation of one request. */
export interface StepUpRecord {
  readonly challenge: Uint8Array
  readonly user: string
  readonly device: string
  /** Of the request that is to be confirmed. */
  readonly fingerprint: Uint8Array
  /** The first second at which it is too late. */
  readonly expiresAt: number
  readonly usedAt: number | null
}
