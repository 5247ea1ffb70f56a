/** Who waits for events in this process: woken when an outbox grows, told when their session ends. */
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeBase64Url } from '../../crypto/text.ts'
import type { Change } from '../store/events.ts'
import type { Store } from '../store/store.ts'
import type { Delivery } from './delivery.ts'
import type { SocketSession } from './socket-turn.ts'

/** A socket that is bound to a session. */
export interface Follower {
  readonly session: SocketSession
  /** Absent before it has subscribed. */
  delivery(): Delivery | undefined
  /** Its session is over. May be told twice. */
  sessionOver(): void
}

export interface Followers {
  /** @returns takes it off */
  add(follower: Follower): () => void
  close(): void
}

/** Looking at everybody may take a tenth of the time, and happens once a second at least where it was not possible. */
const restFactor = 10
const longestRest = 1_000

type FollowerStore = Pick<Store, 'watch' | 'listLastEvents' | 'listActiveSessions'>

/** @param now UNIX seconds */
export function createFollowers(store: FollowerStore, now: () => number): Followers {
  const followers = new Map<string, Set<Follower>>()
  const of = (user: string): readonly Follower[] => [...(followers.get(user) ?? [])]
  const everybody = (): readonly Follower[] => [...followers.values()].flatMap((some) => [...some])
  const lookAtAll = repeated(async () => {
    await wakeThoseBehind(store, everybody())
    await endThoseOver(store, everybody(), now())
  })
  const hear = ({ kind, user }: Change): void => {
    if (user === undefined || kind === 'any') lookAtAll.ask()
    else if (kind === 'events') for (const follower of of(user)) follower.delivery()?.wake()
    else endThoseOver(store, of(user), now()).catch(lookAtAll.ask)
  }
  let stopWatching: (() => void) | undefined
  return {
    add(follower) {
      const { user } = follower.session
      followers.set(user, (followers.get(user) ?? new Set()).add(follower))
      stopWatching ??= store.watch(hear)
      // It may have ended between its last request and now.
      endThoseOver(store, [follower], now()).catch(lookAtAll.ask)
      return () => {
        followers.get(user)?.delete(follower)
        if (followers.get(user)?.size === 0) followers.delete(user)
      }
    },
    close() {
      lookAtAll.stop()
      stopWatching?.()
    },
  }
}

async function wakeThoseBehind(store: FollowerStore, followers: readonly Follower[]): Promise<void> {
  const subscribed = followers.filter((follower) => follower.delivery() !== undefined)
  const users = [...new Set(subscribed.map(({ session }) => session.user))]
  if (users.length === 0) return
  const last = await store.listLastEvents(users)
  for (const follower of subscribed) {
    const delivery = follower.delivery()
    if (delivery !== undefined && (last.get(follower.session.user) ?? 0) >= delivery.next) delivery.wake()
  }
}

async function endThoseOver(
  store: FollowerStore,
  followers: readonly Follower[],
  now: number,
): Promise<void> {
  if (followers.length === 0) return
  const ids = new Map(followers.map(({ session: { id } }) => [encodeBase64Url(id), id]))
  const active = await store.listActiveSessions([...ids.values()], now)
  const names = new Set(active.map(encodeBase64Url))
  for (const follower of followers) {
    if (!names.has(encodeBase64Url(follower.session.id))) follower.sessionOver()
  }
}

/** Runs `look` when asked, one at a time, with a rest in proportion; any number of questions meanwhile is one more. */
function repeated(look: () => Promise<void>): { readonly ask: () => void; readonly stop: () => void } {
  let isAsked = false
  let isAtWork = false
  let isStopped = false
  const work = async (): Promise<void> => {
    isAtWork = true
    while (isAsked && !isStopped) {
      isAsked = false
      const startedAt = performance.now()
      const rest = await look().then(
        () => (performance.now() - startedAt) * restFactor,
        () => {
          isAsked = true
          return longestRest
        },
      )
      await sleep(Math.min(rest, longestRest), undefined, { ref: false })
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
