/** The writes on devices, and on the sessions that go with them: part of the contract in `store.ts`. */

/** Each touches exactly one row or is refused, but for {@link BulkWrite}. */
export type DeviceWrite =
  /**
   * Lets a login enrol `device`: refused when it would be a new one and `user` has `limit` devices already that are
   * neither revoked nor last seen at `seenAfter` or before. A device that is known is always admitted here: `put-device`
   * says whether it may be used. Stands between `put-user` and `put-device` of one commit: `put-user` makes the logins
   * of one user wait for each other, so that no two of them count the same free place, in any number of processes.
   */
  | {
      readonly kind: 'admit-device'
      readonly user: string
      readonly device: string
      readonly limit: number
      readonly seenAfter: number
    }
  /** Refused unless the device is `user`'s and not revoked. */
  | { readonly kind: 'name-device'; readonly id: string; readonly user: string; readonly name: string }
  /**
   * Refused unless the device is `user`'s and not revoked. For ever. A login at the same moment either comes first, and
   * its session is there for the writes that follow in this commit, or is refused.
   */
  | { readonly kind: 'revoke-device'; readonly id: string; readonly user: string; readonly now: number }
  | BulkWrite

/** Touches any number of rows, also none, and is never refused. */
export type BulkWrite =
  /** Revokes all devices of `user` that are not yet, but for `except` (null: none). */
  | {
      readonly kind: 'revoke-other-devices'
      readonly user: string
      readonly except: string | null
      readonly now: number
    }
  /** Ends all active sessions of `user` that belong to revoked devices. After a revocation, in the same commit. */
  | {
      readonly kind: 'end-sessions-of-revoked-devices'
      readonly user: string
      readonly reason: string
      readonly now: number
    }
  /** Ends all active sessions of `user` but for `except` (null: none). */
  | {
      readonly kind: 'end-other-sessions'
      readonly user: string
      readonly except: Uint8Array | null
      readonly reason: string
      readonly now: number
    }
