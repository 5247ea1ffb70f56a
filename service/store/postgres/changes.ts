/**
 * What other processes have changed in the same database: PostgreSQL's NOTIFY carries it, best effort, after the commit.
 *
 * Not within it: a transaction that notifies takes a lock of the whole database at its commit, and an engine that does
 * not know NOTIFY would undo it. So nothing here is relied upon. Through a pooler LISTEN succeeds and hears nothing;
 * therefore this process sends itself a word now and then, and tells its listeners more often that anything may have
 * changed for as long as the word does not come back.
 */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { type Change, Listeners, type Watching } from '../events.ts'

/** How often listeners are told that anything may have changed, in milliseconds: unheard, and heard. */
const POLL_PERIOD = 1_000
const LISTEN_POLL_PERIOD = 2_000
/** The longest pause before the next try to connect, in milliseconds; the first one is a hundredth of it. */
const MAX_PAUSE = 10_000
/** The server refuses 8,000 bytes and more. */
const MAX_PAYLOAD_LENGTH = 7_900
const ANY_USER = 'any'

/** One channel for each schema: several services may share a database. */
const CHANNEL = `'miniseal_' || md5(current_schema())`
const LISTEN = `select ${CHANNEL} as channel`
const NOTIFY = `select pg_notify(${CHANNEL}, $1)`

export interface PostgresChanges extends Watching {
  /** For the commits of this process: tells its own listeners at once, and the other processes. */
  readonly notify: (changes: readonly Change[]) => void
  close(): Promise<void>
}

/** @param run sends one statement over any connection; what becomes of it is not waited for. */
export function watchPostgres(
  url: string,
  connectionTimeoutMillis: number,
  run: (text: string, values: readonly string[]) => void,
): PostgresChanges {
  const listeners = new Listeners()
  let ear: NotificationListener | undefined
  return {
    notify: (changes) => {
      if (changes.length === 0) return
      listeners.notify(changes)
      run(NOTIFY, [payloadOf(changes)])
    },
    watch: (listener) => {
      const end = listeners.add(listener)
      ear ??= new NotificationListener({
        url,
        connectionTimeoutMillis,
        run,
        notify: (changes) => listeners.notify(changes),
      })
      return () => {
        end()
        if (listeners.size > 0) return
        void ear?.close()
        ear = undefined
      }
    },
    close: async () => await ear?.close(),
  }
}

interface NotificationListenerParts {
  readonly url: string
  readonly connectionTimeoutMillis: number
  readonly run: (text: string, values: readonly string[]) => void
  readonly notify: (changes: readonly Change[]) => void
}

/** A connection of its own that listens, made anew for as long as somebody wants to hear. */
class NotificationListener {
  readonly #parts: NotificationListenerParts
  readonly #word = `word ${randomBytes(12).toString('hex')}`
  #client: Client | undefined
  #hasReceived = false
  #failures = 0
  #isClosed = false
  #timer: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(parts: NotificationListenerParts) {
    this.#parts = parts
    this.#tick()
    void this.#connect()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
    await this.#client?.end().catch(() => undefined)
  }

  /** Silence counts as deafness until the word comes back. */
  #tick(): void {
    const period = this.#hasReceived ? LISTEN_POLL_PERIOD : POLL_PERIOD
    this.#hasReceived = false
    if (this.#client !== undefined) this.#parts.run(NOTIFY, [this.#word])
    this.#timer = setTimeout(() => {
      this.#parts.notify([{ kind: 'any' }])
      this.#tick()
    }, period)
    this.#timer.unref()
  }

  async #connect(): Promise<void> {
    const { url, connectionTimeoutMillis } = this.#parts
    const client = new Client({
      connectionString: url,
      application_name: 'miniseal events',
      keepAlive: true,
      connectionTimeoutMillis,
      query_timeout: connectionTimeoutMillis,
    })
    let isLost = false
    const lost = (): void => {
      if (isLost) return
      isLost = true
      client.end().catch(() => undefined)
      if (this.#client === client) this.#client = undefined
      this.#connectLater()
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', ({ payload = '' }) => this.#onNotification(payload))
    try {
      await client.connect()
      const { rows } = await client.query<{ channel: string }>(LISTEN)
      await client.query(`listen "${rows[0]?.channel ?? ''}"`)
      if (this.#isClosed) return lost()
      this.#client = client
      this.#failures = 0
      // What was notified while nobody listened is lost.
      this.#parts.notify([{ kind: 'any' }])
      this.#parts.run(NOTIFY, [this.#word])
    } catch {
      lost()
    }
  }

  #connectLater(): void {
    if (this.#isClosed) return
    this.#failures += 1
    const pause = Math.min(MAX_PAUSE, (MAX_PAUSE / 100) * 2 ** (this.#failures - 1))
    this.#retry = setTimeout(() => void this.#connect(), pause)
    this.#retry.unref()
  }

  #onNotification(payload: string): void {
    if (payload === this.#word) this.#hasReceived = true
    if (payload.startsWith('word ')) return
    this.#parts.notify(changesIn(payload))
  }
}

/** A line for each change; where they are too many for one payload, that anything may have changed. */
function payloadOf(changes: readonly Change[]): string {
  const text = changes.map(({ kind, user }) => `${kind} ${user ?? ''}`).join('\n')
  return Buffer.byteLength(text) > MAX_PAYLOAD_LENGTH ? ANY_USER : text
}

/** Anybody who may connect to the database can notify: what is not of this form is a change of anybody's. */
function changesIn(payload: string): readonly Change[] {
  return payload.split('\n').map((line): Change => {
    const [, kind, user] = /^(events|sessions) (.+)$/.exec(line) ?? []
    if (user === undefined || (kind !== 'events' && kind !== 'sessions')) return { kind: 'any' }
    return { kind, user }
  })
}
