/** Concurrency limits: bulkheads for exchanges, slots for WebSockets. */
import { ProblemError } from '../problems/problem-error.ts'
import type { LimitSettings } from './settings.ts'

/** A verified request in process. */
export interface Work {
  readonly device: string
  readonly user: string
  /** The route that answers it. */
  readonly route: string
  /** Bytes of its content. */
  readonly bytes: number
}

/** Idempotent. */
export type Release = () => void

export interface ConcurrencyLimits {
  /** @throws ProblemError `overloaded` (503) when no slot is free. Logins and requests have separate slots. */
  acquire(kind: 'login' | 'request'): Release
  /** @throws ProblemError `rate_limited` (429) when the device, the user or the route has used up its share. */
  acquireShare(work: Work): Release
  /** Slots in use, of logins and requests. */
  inFlight(): number
}

type ExchangeSettings = Pick<
  LimitSettings,
  'in_flight' | 'body_mib' | 'login_share' | 'device_share' | 'user_share' | 'route_share'
>

/** `percent` of `whole`, at least 1. */
export function shareOf(whole: number, percent: number): number {
  return Math.max(1, Math.floor((whole * percent) / 100))
}

export function createConcurrencyLimits(settings: ExchangeSettings): ConcurrencyLimits {
  const slots = { login: shareOf(settings.in_flight, settings.login_share), request: settings.in_flight }
  const inUse = { login: 0, request: 0 }
  const shares = (['device', 'user', 'route'] as const).map((name) => ({
    name,
    share: new Share(
      shareOf(settings.in_flight, settings[`${name}_share`]),
      shareOf(settings.body_mib * 1_048_576, settings[`${name}_share`]),
    ),
  }))
  return {
    inFlight: () => inUse.login + inUse.request,
    acquire(kind) {
      if (inUse[kind] >= slots[kind]) {
        const details = { status: 503, retryAfter: 1 } as const
        throw new ProblemError('overloaded', `too many concurrent ${kind}s`, details)
      }
      inUse[kind] += 1
      return once(() => {
        inUse[kind] -= 1
      })
    },
    acquireShare(work) {
      const full = shares.find(({ name, share }) => !share.hasCapacity(work[name], work.bytes))
      if (full !== undefined) {
        const details = { status: 429, retryAfter: 1 } as const
        throw new ProblemError('rate_limited', `too many concurrent requests of this ${full.name}`, details)
      }
      for (const { name, share } of shares) share.add(work[name], 1, work.bytes)
      return once(() => {
        for (const { name, share } of shares) share.add(work[name], -1, -work.bytes)
      })
    },
  }
}

function once(run: () => void): Release {
  let isDone = false
  return () => {
    if (!isDone) run()
    isDone = true
  }
}

/** Usage per name. The first request of a name is always admitted, regardless of its size. */
class Share {
  readonly #limit: number
  readonly #byteLimit: number
  readonly #inUse = new Map<string, { readonly count: number; readonly bytes: number }>()

  constructor(limit: number, byteLimit: number) {
    this.#limit = limit
    this.#byteLimit = byteLimit
  }

  hasCapacity(name: string, bytes: number): boolean {
    const inUse = this.#inUse.get(name)
    return inUse === undefined || (inUse.count < this.#limit && inUse.bytes + bytes <= this.#byteLimit)
  }

  add(name: string, count: number, bytes: number): void {
    const inUse = this.#inUse.get(name) ?? { count: 0, bytes: 0 }
    const next = { count: inUse.count + count, bytes: inUse.bytes + bytes }
    if (next.count === 0) this.#inUse.delete(name)
    else this.#inUse.set(name, next)
  }
}

export interface SocketSlots {
  /** @throws ProblemError `overloaded`: 429 when the source has no free slot, 503 when the service has none. */
  assertCapacity(source: string): void
  /**
   * Acquires a slot for a new socket. Call the release once.
   *
   * @throws ProblemError as {@link SocketSlots.assertCapacity}.
   */
  open(source: string): () => void
  /**
   * Counts a socket for its session and user. Over a limit the oldest socket is evicted: it is probably the lost
   * connection of a phone that has changed networks.
   *
   * @returns removes the socket; idempotent.
   */
  bind(session: string, user: string, evict: () => void): () => void
}

type SocketLimits = Pick<LimitSettings, 'sockets' | 'sockets_ip' | 'sockets_user' | 'sockets_session'>

export function createSocketSlots(settings: SocketLimits): SocketSlots {
  const sources = new Map<string, number>()
  const sessions = new SlotQueues(settings.sockets_session)
  const users = new SlotQueues(settings.sockets_user)
  let open = 0
  const assertCapacity = (source: string): void => {
    if ((sources.get(source) ?? 0) >= settings.sockets_ip) {
      throw new ProblemError('overloaded', 'too many sockets of this address', {
        status: 429,
        retryAfter: 10,
      })
    }
    if (open >= settings.sockets)
      throw new ProblemError('overloaded', 'too many sockets', { status: 503, retryAfter: 1 })
  }
  return {
    assertCapacity,
    open(source) {
      assertCapacity(source)
      open += 1
      sources.set(source, (sources.get(source) ?? 0) + 1)
      return () => {
        open -= 1
        const count = (sources.get(source) ?? 1) - 1
        if (count === 0) sources.delete(source)
        else sources.set(source, count)
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

interface Slot {
  readonly evict: () => void
}

/** Slots per name, oldest first. */
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
