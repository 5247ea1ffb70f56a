/** Notifications of changes that commits of this and other processes may have made. */

/** A possible change. */
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
   * Notifies `listener` of appended events, ended sessions and revoked devices, not of expired sessions. Commits of this
   * process: at once. Commits of other processes: within 0.2 s (SQLite); at once, or within a second without PostgreSQL's
   * notifications (a pooler, an engine without them). A notification may be late, repeated or spurious.
   *
   * @returns stops the notifications
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
