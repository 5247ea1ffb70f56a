/** Event subscriptions of this process: delivery to a socket, notified when an outbox grows or a session ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { SequencedEvent, SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Change } from '../store/changes.ts'
import type { Store } from '../store/store.ts'
import type { EventPage } from './outbox.ts'

/** The session that a socket is bound to. */
export interface SocketSession {
  /** 16 bytes, the protocol's `sid`. */
  readonly id: Uint8Array
  readonly user: string
  readonly keys: SessionKeys
  /** UNIX seconds, exclusive. */
  readonly expiresAt: number
}

/** Effects of one frame on its socket, other than the response. The exchange writes them, the socket reads them. */
export class SocketEffects {
  #session: SocketSession | undefined
  #subscription: number | undefined

  /** The session that the frame has authenticated or created. */
  get session(): SocketSession | undefined {
    return this.#session
  }

  /** The number of the first event to deliver after the answer. */
  get subscription(): number | undefined {
    return this.#subscription
  }

  bind({ id, user, keys, expiresAt }: SocketSession): void {
    this.#session = { id, user, keys, expiresAt }
  }

  subscribe(from: number): void {
    this.#subscription = from
  }
}

const batchSize = 64

/** Milliseconds after a failed read. */
const retryDelay = 1_000

export interface DeliveryOptions {
  /** The number of the first event. */
  readonly from: number
  readonly read: (after: number, limit: number) => Promise<EventPage>
  /** Called after each read: an event that was pushed after the session ended must not be delivered to it. */
  readonly isActive: () => Promise<boolean>
  /** Resolves when the socket accepts more. */
  readonly send: (event: SequencedEvent) => Promise<void>
  /**
   * Called when the session is over, or when the outbox does not have the next event: it was pruned, or the database
   * was restored from a backup. The client has to subscribe again.
   */
  readonly onEnd: (reason: 'session-over' | 'out-of-order') => void
}

/** Delivers the events of one user to one socket, in order, at the pace of the socket. */
export class Delivery {
  readonly #options: DeliveryOptions
  #next: number
  #isNotified = false
  #isRunning = false
  #isStopped = false

  constructor(options: DeliveryOptions) {
    this.#options = options
    this.#next = options.from
  }

  /** The number of the next event. */
  get next(): number {
    return this.#next
  }

  /** Checks the outbox for new events. */
  notify(): void {
    this.#isNotified = true
    if (!this.#isRunning) void this.#run()
  }

  stop(): void {
    this.#isStopped = true
  }

  async #run(): Promise<void> {
    this.#isRunning = true
    try {
      while (this.#isNotified && !this.#isStopped) {
        this.#isNotified = false
        while (await this.#sendPage());
      }
    } catch {
      setTimeout(() => this.notify(), retryDelay).unref()
    } finally {
      this.#isRunning = false
    }
  }

  /** @returns whether there may be more */
  async #sendPage(): Promise<boolean> {
    const { read, isActive, send } = this.#options
    const { from, last, events } = await read(this.#next - 1, batchSize)
    if (this.#isStopped) return false
    if (from !== this.#next) return this.#end('out-of-order')
    if (events.length === 0) return false
    if (!(await isActive())) return this.#end('session-over')
    for (const event of events) {
      if (this.#isStopped) return false
      await send(event)
      this.#next = event.sequence + 1
    }
    return last >= this.#next
  }

  #end(reason: 'session-over' | 'out-of-order'): false {
    this.#isStopped = true
    this.#options.onEnd(reason)
    return false
  }
}

/** A bound socket. */
export interface Subscriber {
  readonly session: SocketSession
  /** `undefined` before the first subscription. */
  delivery(): Delivery | undefined
  /** May be called repeatedly. */
  onSessionOver(): void
}

export interface Subscribers {
  /** @returns removes the subscriber */
  add(subscriber: Subscriber): () => void
  close(): void
}

/** A check of all subscribers is followed by a pause of its duration times this factor… */
const pollDelayFactor = 10

/** …up to this many milliseconds, which is also the retry delay. */
const maxPollDelay = 1_000

type SubscriberStore = Pick<Store, 'watch' | 'listLastEvents' | 'listActiveSessions'>

/** @param now UNIX seconds */
export function createSubscribers(store: SubscriberStore, now: () => number): Subscribers {
  const subscribers = new Map<string, Set<Subscriber>>()
  const of = (user: string): readonly Subscriber[] => [...(subscribers.get(user) ?? [])]
  const allSubscribers = (): readonly Subscriber[] => [...subscribers.values()].flatMap((some) => [...some])
  const checkAll = coalesced(async () => {
    await notifyLagging(store, allSubscribers())
    await endExpired(store, allSubscribers(), now())
  })
  const onChange = ({ kind, user }: Change): void => {
    if (user === undefined || kind === 'any') checkAll.request()
    else if (kind === 'events') for (const subscriber of of(user)) subscriber.delivery()?.notify()
    else endExpired(store, of(user), now()).catch(checkAll.request)
  }
  let stopWatching: (() => void) | undefined
  return {
    add(subscriber) {
      const { user } = subscriber.session
      subscribers.set(user, (subscribers.get(user) ?? new Set()).add(subscriber))
      stopWatching ??= store.watch(onChange)
      // The session may have ended since its last request.
      endExpired(store, [subscriber], now()).catch(checkAll.request)
      return () => {
        subscribers.get(user)?.delete(subscriber)
        if (subscribers.get(user)?.size === 0) subscribers.delete(user)
      }
    },
    close() {
      checkAll.stop()
      stopWatching?.()
    },
  }
}

async function notifyLagging(store: SubscriberStore, subscribers: readonly Subscriber[]): Promise<void> {
  const subscribed = subscribers.filter((subscriber) => subscriber.delivery() !== undefined)
  const users = [...new Set(subscribed.map(({ session }) => session.user))]
  if (users.length === 0) return
  const last = await store.listLastEvents(users)
  for (const subscriber of subscribed) {
    const delivery = subscriber.delivery()
    if (delivery !== undefined && (last.get(subscriber.session.user) ?? 0) >= delivery.next) delivery.notify()
  }
}

async function endExpired(
  store: SubscriberStore,
  subscribers: readonly Subscriber[],
  now: number,
): Promise<void> {
  if (subscribers.length === 0) return
  const ids = new Map(subscribers.map(({ session: { id } }) => [encodeBase64Url(id), id]))
  const active = new Set((await store.listActiveSessions([...ids.values()], now)).map(encodeBase64Url))
  for (const subscriber of subscribers) {
    if (!active.has(encodeBase64Url(subscriber.session.id))) subscriber.onSessionOver()
  }
}

/** Runs `task` on request, one run at a time, with a pause in proportion to its duration. Requests during a run coalesce. */
function coalesced(task: () => Promise<void>): { readonly request: () => void; readonly stop: () => void } {
  let isRequested = false
  let isRunning = false
  let isStopped = false
  const run = async (): Promise<void> => {
    isRunning = true
    while (isRequested && !isStopped) {
      isRequested = false
      const startedAt = performance.now()
      const delay = await task().then(
        () => (performance.now() - startedAt) * pollDelayFactor,
        () => {
          isRequested = true
          return maxPollDelay
        },
      )
      await sleep(Math.min(delay, maxPollDelay), undefined, { ref: false })
    }
    isRunning = false
  }
  return {
    request: () => {
      isRequested = true
      if (!isRunning) void run()
    },
    stop: () => {
      isStopped = true
    },
  }
}
