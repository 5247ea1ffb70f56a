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

/** Reports possible changes by other processes until it is stopped. @returns the stop */
export type ChangeSource = (notify: (changes: readonly Change[]) => void) => () => void | Promise<void>

/**
 * The listeners of one store.
 *
 * @param start called for the first listener, and stopped after the last one
 */
export function createChanges(start: ChangeSource) {
  const listeners = new Set<{ readonly listen: ChangeListener }>()
  let stop: ReturnType<ChangeSource> | undefined
  const notify = (changes: readonly Change[]): void => {
    for (const change of changes) for (const { listen } of listeners) listen(change)
  }
  return {
    notify,
    watch(listen: ChangeListener): () => void {
      const listener = { listen }
      listeners.add(listener)
      stop ??= start(notify)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        void stop?.()
        stop = undefined
      }
    },
    close: async (): Promise<void> => await stop?.(),
  }
}
