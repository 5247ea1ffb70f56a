/** Change notifications: what commits of this and other processes may have changed. */

/** What may have changed, of one user or, when unknown, of any user. */
export interface Change {
  /** `events`: an outbox has grown. `sessions`: sessions have ended. `any`: either. */
  readonly kind: 'events' | 'sessions' | 'any'
  /** Absent: any user. */
  readonly user?: string
}

/** Must not throw. */
export type ChangeListener = (change: Change) => void

export interface Watching {
  /**
   * Notifies `listener` of appended events, ended sessions and revoked devices: of this process's commits at once; of those
   * of other processes within 0.2 s (SQLite), or at once, and within a second where PostgreSQL's notifications do not get
   * through (a pooler, an engine without them). A hint only: it may be late, repeated or spurious, and the expiry of a
   * session is no change.
   *
   * @returns ends it
   */
  watch(listener: ChangeListener): () => void
}

export class Listeners {
  readonly #listeners = new Set<{ readonly notify: ChangeListener }>()

  get size(): number {
    return this.#listeners.size
  }

  /** @returns removes it */
  add(notify: ChangeListener): () => void {
    const entry = { notify }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  notify(changes: readonly Change[]): void {
    for (const change of changes) for (const { notify } of this.#listeners) notify(change)
  }
}
