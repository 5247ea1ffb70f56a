/** Bounds open sockets: all of them, those of one address, of one session and of one user. */
import { Throttled } from '../messages/throttled.ts'
import type { LimitSettings } from './settings.ts'

export interface SocketPlaces {
  /** @throws Throttled `overloaded`: 429 when one source has as many as it may, 503 when all have together. */
  assertRoom(source: string): void
  /**
   * Takes a place for a new socket.
   *
   * @returns gives it back; call it once.
   * @throws as {@link SocketPlaces.assertRoom}.
   */
  open(source: string): () => void
  /**
   * Counts a socket for its session and user, once it is known whose it is. Where there are too many, the oldest one
   * has to go: a phone that lost its network leaves one behind that nobody uses.
   *
   * @param evict ends this socket when its time has come
   * @returns takes it off; harmless when repeated.
   */
  bind(session: string, user: string, evict: () => void): () => void
}

type Settings = Pick<LimitSettings, 'sockets' | 'sockets_ip' | 'sockets_user' | 'sockets_session'>

export function createSocketPlaces(settings: Settings): SocketPlaces {
  const sources = new Map<string, number>()
  const sessions = new Queues(settings.sockets_session)
  const users = new Queues(settings.sockets_user)
  let open = 0
  const assertRoom = (source: string): void => {
    if ((sources.get(source) ?? 0) >= settings.sockets_ip)
      throw refusal('too many sockets of this address', 429)
    if (open >= settings.sockets) throw refusal('the service has as many sockets as it can', 503)
  }
  return {
    assertRoom,
    open(source) {
      assertRoom(source)
      open += 1
      sources.set(source, (sources.get(source) ?? 0) + 1)
      return () => {
        open -= 1
        const left = (sources.get(source) ?? 1) - 1
        if (left === 0) sources.delete(source)
        else sources.set(source, left)
      }
    },
    bind(session, user, evict) {
      const place = { evict }
      sessions.add(session, place)
      users.add(user, place)
      return () => {
        sessions.delete(session, place)
        users.delete(user, place)
      }
    },
  }
}

function refusal(message: string, status: 429 | 503): Throttled {
  return new Throttled('overloaded', message, { status, retryAfter: status === 429 ? 10 : 1 })
}

interface Place {
  readonly evict: () => void
}

/** Places under one name, the oldest first. */
class Queues {
  readonly #most: number
  readonly #places = new Map<string, Set<Place>>()

  constructor(most: number) {
    this.#most = most
  }

  add(name: string, place: Place): void {
    const places = this.#places.get(name) ?? new Set()
    this.#places.set(name, places.add(place))
    for (const oldest of [...places].slice(0, Math.max(0, places.size - this.#most))) oldest.evict()
  }

  delete(name: string, place: Place): void {
    const places = this.#places.get(name)
    places?.delete(place)
    if (places?.size === 0) this.#places.delete(name)
  }
}
