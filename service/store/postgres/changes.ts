/**
 * Notifications on PostgreSQL: NOTIFY after the commit, best effort.
 *
 * Not within the commit, because a transaction with NOTIFY locks the whole database when it commits, and fails on an engine
 * without NOTIFY. Through a pooler LISTEN succeeds and receives nothing. Therefore this process periodically notifies itself.
 * While that probe is not received, it reports a possible change of any kind to its listeners at a shorter interval.
 */
import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import type { Change, ChangeSource } from '../changes.ts'

/** Milliseconds between two reports of a possible change of any kind: without and with notifications. */
const pollPeriod = 1_000
const listenPollPeriod = 2_000
/** Milliseconds of the longest pause before reconnecting; the first one is a hundredth of it. */
const maxPause = 10_000
/** The server refuses 8,000 bytes and more. */
const maxPayloadLength = 7_900
const anyChange = 'any'

/** One channel for each schema: several services may share a database. */
const channelName = `'miniseal_' || md5(current_schema())`
const selectChannel = `select ${channelName} as channel`
const notifyChannel = `select pg_notify(${channelName}, $1)`

interface SubscriptionOptions {
  readonly url: string
  readonly connectionTimeoutMillis: number
  /** Sends one statement over any connection, and does not report its result. */
  readonly run: (text: string, values: readonly string[]) => void
}

/** For the commits of this process. */
export function notifyOthers(run: SubscriptionOptions['run'], changes: readonly Change[]): void {
  if (changes.length > 0) run(notifyChannel, [payloadOf(changes)])
}

/** For the commits of other processes. */
export function listenForChanges(options: SubscriptionOptions): ChangeSource {
  return (notify) => {
    const subscription = new Subscription(options, notify)
    return () => subscription.close()
  }
}

const probePrefix = 'probe '

/** A separate connection that listens, and reconnects until it is closed. */
class Subscription {
  readonly #options: SubscriptionOptions
  readonly #notify: (changes: readonly Change[]) => void
  readonly #probe = `${probePrefix}${randomBytes(12).toString('hex')}`
  #client: Client | undefined
  #hasReceived = false
  #failures = 0
  #isClosed = false
  #timer: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(options: SubscriptionOptions, notify: (changes: readonly Change[]) => void) {
    this.#options = options
    this.#notify = notify
    this.#poll()
    void this.#connect()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    clearTimeout(this.#retry)
    await this.#client?.end().catch(() => undefined)
  }

  /** Notifications count as lost until the probe is received. */
  #poll(): void {
    const period = this.#hasReceived ? listenPollPeriod : pollPeriod
    this.#hasReceived = false
    if (this.#client !== undefined) this.#options.run(notifyChannel, [this.#probe])
    this.#timer = setTimeout(() => {
      this.#notify([{ kind: 'any' }])
      this.#poll()
    }, period)
    this.#timer.unref()
  }

  async #connect(): Promise<void> {
    const { url, connectionTimeoutMillis } = this.#options
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
      this.#reconnect()
    }
    client.on('error', lost)
    client.on('end', lost)
    client.on('notification', ({ payload = '' }) => this.#onNotification(payload))
    try {
      await client.connect()
      const { rows } = await client.query<{ channel: string }>(selectChannel)
      await client.query(`listen "${rows[0]?.channel ?? ''}"`)
      if (this.#isClosed) return lost()
      this.#client = client
      this.#failures = 0
      // Notifications that were sent while disconnected are lost.
      this.#notify([{ kind: 'any' }])
      this.#options.run(notifyChannel, [this.#probe])
    } catch {
      lost()
    }
  }

  #reconnect(): void {
    if (this.#isClosed) return
    this.#failures += 1
    const pause = Math.min(maxPause, (maxPause / 100) * 2 ** (this.#failures - 1))
    this.#retry = setTimeout(() => void this.#connect(), pause)
    this.#retry.unref()
  }

  #onNotification(payload: string): void {
    if (payload === this.#probe) this.#hasReceived = true
    if (payload.startsWith(probePrefix)) return
    this.#notify(changesIn(payload))
  }
}

/** A line for each change, or `any` when they exceed one payload. */
function payloadOf(changes: readonly Change[]): string {
  const text = changes.map(({ kind, user }) => `${kind} ${user ?? ''}`).join('\n')
  return Buffer.byteLength(text) > maxPayloadLength ? anyChange : text
}

/** @param payload attacker-controlled: every role that may connect can notify. Another form is a change of any kind. */
function changesIn(payload: string): readonly Change[] {
  return payload.split('\n').map((line): Change => {
    const [, kind, user] = /^(events|sessions) (.+)$/.exec(line) ?? []
    if (user === undefined || (kind !== 'events' && kind !== 'sessions')) return { kind: 'any' }
    return { kind, user }
  })
}
