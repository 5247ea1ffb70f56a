/**
 * What the store keeps for users: an outbox each, whose events are numbered 1, 2, 3, … without gaps, and the changes
 * that it tells of.
 */
import type { Write } from './store.ts'

/** The writes on outboxes. */
export type EventWrite =
  /**
   * Appends an event to the outbox of `user` under the next number. Numbers have no gaps, and their order is that of
   * the commits, also of commits of several processes at the same time: who pushes first keeps the others of this user
   * waiting until its commit is done. A commit that is refused or fails takes no number.
   *
   * Refused when the user does not exist, and when the user has an event `id` already, until that one is pruned.
   * 16 bytes.
   */
  {
    readonly kind: 'push-event'
    readonly user: string
    readonly id: Uint8Array
    readonly payloadWrapped: Uint8Array
    readonly now: number
    readonly expiresAt: number
  }

export interface EventRecord {
  readonly user: string
  readonly id: Uint8Array
  /** From 1. */
  readonly sequence: number
  readonly payloadWrapped: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number
}

/** One moment of an outbox. */
export interface OutboxPage {
  /** The number of the oldest event that is kept; `last + 1` when none is. */
  readonly first: number
  /** The number of the newest event, pruned or not; 0 before the first one. */
  readonly last: number
  /** In order, without a gap, from the first one that was asked for and is kept. */
  readonly events: readonly EventRecord[]
}

/** What may have changed, of one user or, where nobody can say whose it was, of anybody. */
export interface Change {
  /** `events`: an outbox has grown. `sessions`: sessions have ended. `any`: either. */
  readonly kind: 'events' | 'sessions' | 'any'
  /** Absent: it may be anybody's. */
  readonly user?: string
}

/** Must not throw. */
export type ChangeListener = (change: Change) => void

/** The part of a store that looks after outboxes. */
export interface EventReads {
  /** At most `limit` events of `user` with numbers over `after`, all of one moment. */
  listEvents(user: string, after: number, limit: number): Promise<OutboxPage>
  findEvent(user: string, id: Uint8Array): Promise<EventRecord | undefined>
  /** The number of the newest event of each of these users who have one. */
  listLastEvents(users: readonly string[]): Promise<ReadonlyMap<string, number>>
  /** Which of these sessions are active: not ended, `expires_at > now`, their device not revoked. */
  listActiveSessions(ids: readonly Uint8Array[], now: number): Promise<readonly Uint8Array[]>
}

/** The part of a store that tells of changes. */
export interface Watching {
  /**
   * Has `listener` told of pushed events, ended sessions and revoked devices: of this process's commits at once, of
   * those of other processes within 0.2 s (SQLite), or at once, and within a second where PostgreSQL's notifications do
   * not get through (a pooler, an engine without them). A hint and no more: it may come late, twice, or for nothing,
   * and a session that expires is no change.
   *
   * @returns ends it
   */
  watch(listener: ChangeListener): () => void
}

/** What a commit of these writes changes that others wait for. */
export function changesOf(writes: readonly Write[]): readonly Change[] {
  const changes = new Map<string, Change>()
  for (const write of writes) {
    const kind = kindOfChange(write)
    if (kind !== undefined && 'user' in write) {
      changes.set(`${kind} ${write.user}`, { kind, user: write.user })
    }
  }
  return [...changes.values()]
}

function kindOfChange({ kind }: Write): 'events' | 'sessions' | undefined {
  if (kind === 'push-event') return 'events'
  const endings: readonly Write['kind'][] = [
    'end-session',
    'end-other-sessions',
    'end-sessions-of-revoked-devices',
    'revoke-device',
    'revoke-other-devices',
  ]
  return endings.includes(kind) ? 'sessions' : undefined
}

/** Those who listen. */
export class Listeners {
  readonly #listeners = new Set<{ readonly notify: ChangeListener }>()

  get size(): number {
    return this.#listeners.size
  }

  /** @returns ends it */
  add(notify: ChangeListener): () => void {
    const entry = { notify }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  notify(changes: readonly Change[]): void {
    for (const change of changes) for (const { notify } of this.#listeners) notify(change)
  }
}
