/** Who waits for events in this process: woken when an outbox grows, told when their session ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Change } from '../store/changes.ts'
import type { Store } from '../store/store.ts'
import type { Delivery } from './delivery.ts'
import type { SocketSession } from './socket-turn.ts'

/** A socket that is bound to a session. */
export interface Subscriber {
  readonly session: SocketSession
  /** Absent before it has subscribed. */
  delivery(): Delivery | undefined
  /** Its session is over. May be told twice. */
  sessionOver(): void
}

export interface Subscribers {
  /** @returns takes it off */
  add(subscriber: Subscriber): () => void
  close(): void
}

/** Looking at everybody may take a tenth of the time, and happens once a second at least where it was not possible. */
const pollDelayFactor = 10
const maxRest = 1_000

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
    if (user === undefined || kind === 'any') checkAll.ask()
    else if (kind === 'events') for (const subscriber of of(user)) subscriber.delivery()?.notify()
    else endExpired(store, of(user), now()).catch(checkAll.ask)
  }
  let stopWatching: (() => void) | undefined
  return {
    add(subscriber) {
      const { user } = subscriber.session
      subscribers.set(user, (subscribers.get(user) ?? new Set()).add(subscriber))
      stopWatching ??= store.watch(onChange)
      // It may have ended between its last request and now.
      endExpired(store, [subscriber], now()).catch(checkAll.ask)
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
  const active = await store.listActiveSessions([...ids.values()], now)
  const names = new Set(active.map(encodeBase64Url))
  for (const subscriber of subscribers) {
    if (!names.has(encodeBase64Url(subscriber.session.id))) subscriber.sessionOver()
  }
}

/** Runs `look` when asked, one at a time, with a rest in proportion; any number of questions meanwhile is one more. */
function coalesced(look: () => Promise<void>): { readonly ask: () => void; readonly stop: () => void } {
  let isAsked = false
  let isAtWork = false
  let isStopped = false
  const work = async (): Promise<void> => {
    isAtWork = true
    while (isAsked && !isStopped) {
      isAsked = false
      const startedAt = performance.now()
      const rest = await look().then(
        () => (performance.now() - startedAt) * pollDelayFactor,
        () => {
          isAsked = true
          return maxRest
        },
      )
      await sleep(Math.min(rest, maxRest), undefined, { ref: false })
    }
    isAtWork = false
  }
  return {
    ask: () => {
      isAsked = true
      if (!isAtWork) void work()
    },
    stop: () => {
      isStopped = true
    },
  }
}
