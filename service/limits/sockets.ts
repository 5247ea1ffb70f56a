/** Bounds open sockets: all of them, those of one address, of one session and of one user. */
import { ProblemError } from '../problems/problem-error.ts'
import type { LimitSettings } from './settings.ts'

export interface SocketSlots {
  /** @throws ProblemError `overloaded`: 429 when one source has as many as it may, 503 when all have together. */
  assertCapacity(source: string): void
  /**
   * Takes a place for a new socket.
   *
   * @returns gives it back; call it once.
   * @throws as {@link SocketSlots.assertCapacity}.
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

export function createSocketSlots(settings: Settings): SocketSlots {
  const sources = new Map<string, number>()
  const sessions = new SlotQueues(settings.sockets_session)
  const users = new SlotQueues(settings.sockets_user)
  let open = 0
  const assertCapacity = (source: string): void => {
    if ((sources.get(source) ?? 0) >= settings.sockets_ip)
      throw refusal('too many sockets of this address', 429)
    if (open >= settings.sockets) throw refusal('the service has as many sockets as it can', 503)
  }
  return {
    assertCapacity,
    open(source) {
      assertCapacity(source)
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
      const slot = { evict }
      sessions.add(session, slot)
      users.add(user, slot)
      return () => {
        sessions.delete(session, slot)
        users.delete(user, slot)
      }
    },
  }
}

function refusal(message: string, status: 429 | 503): ProblemError {
  return new ProblemError('overloaded', message, { status, retryAfter: status === 429 ? 10 : 1 })
}

interface Slot {
  readonly evict: () => void
}

/** Places under one name, the oldest first. */
class SlotQueues {
  readonly #limit: number
  readonly #slots = new Map<string, Set<Slot>>()

  constructor(limit: number) {
    this.#limit = limit
  }

  add(name: string, slot: Slot): void {
    const slots = this.#slots.get(name) ?? new Set()
    this.#slots.set(name, slots.add(slot))
    for (const oldest of [...slots].slice(0, Math.max(0, slots.size - this.#limit))) oldest.evict()
  }

  delete(name: string, slot: Slot): void {
    const slots = this.#slots.get(name)
    slots?.delete(slot)
    if (slots?.size === 0) this.#slots.delete(name)
  }
}
