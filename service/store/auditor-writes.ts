/** Auditors' accounts in the store: writes as data, and reads. */
import type { AuditorRecord } from './log-records.ts'

/** Part of `Write`; what is said there holds for these too. */
export type AuditorWrite =
  /**
   * Inserts, or replaces an account of the same name whose token is worth nothing any more: revoked, or expired at
   * `createdAt`. Refused when the name is in use, or for a token (32 bytes) that somebody has already.
   */
  | { readonly kind: 'add-auditor'; readonly auditor: Omit<AuditorRecord, 'revokedAt' | 'signedOutAt'> }
  /** Refused when there is no such auditor, or when they are revoked already: the first time stands. */
  | { readonly kind: 'revoke-auditor'; readonly name: string; readonly now: number }
  /** Ends every session of the pages that the account has. Never goes back. Refused when there is no such auditor. */
  | { readonly kind: 'sign-out-auditor'; readonly name: string; readonly now: number }

/** The part of a store that looks at auditors. */
export interface AuditorReads {
  /** Whatever their state, in the order of their names: the caller looks at `expiresAt` and `revokedAt`. */
  listAuditors(): Promise<readonly AuditorRecord[]>
}
