/** Whether anything with an effect may happen now: what cannot be proved later is not done. */

/** The log, as an exchange sees it. */
export interface EntryGate {
  /**
   * Asked before a request's nonce is claimed, for every request that may have an effect, logins included.
   *
   * @throws ProtocolError `unavailable` while no checkpoint can be signed over what would be logged: the database is not
   *   the one that was signed last.
   */
  assertAcceptingEntries(): void
  /** A leaf was staged in this process, and committed: it is to get its place soon. Never throws. */
  notify(): void
}
