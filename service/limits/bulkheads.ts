/** Bulkheads: how much of the work at one time may be one device's, one user's, one route's, or logins. */
import { ProblemError } from '../problems/problem-error.ts'
import type { LimitSettings } from './settings.ts'

/** A verified request. */
export interface Work {
  readonly device: string
  readonly user: string
  /** The route that answers it. */
  readonly route: string
  /** Bytes of its content, held while it is at work. */
  readonly bytes: number
}

/** Gives a place back; harmless when repeated. */
export type Release = () => void

export interface ConcurrencyLimits {
  /** @throws ProblemError `overloaded` (503) when every place of this kind is taken. Logins have places of their own. */
  acquire(kind: 'login' | 'request'): Release
  /** @throws ProblemError `rate_limited` (429) when the device, the user or the route has its share of places or bytes. */
  acquireFor(work: Work): Release
  /** Places that are taken, those of logins too. */
  atWork(): number
}

type Settings = Pick<
  LimitSettings,
  'in_flight' | 'body_mib' | 'login_share' | 'device_share' | 'user_share' | 'route_share'
>

/** So many hundredths of the whole, and at least one. */
export function shareOf(whole: number, percent: number): number {
  return Math.max(1, Math.floor((whole * percent) / 100))
}

export function createConcurrencyLimits(settings: Settings): ConcurrencyLimits {
  const slots = { login: shareOf(settings.in_flight, settings.login_share), request: settings.in_flight }
  const atWork = { login: 0, request: 0 }
  const shares = (['device', 'user', 'route'] as const).map((name) => ({
    name,
    share: new Share(
      shareOf(settings.in_flight, settings[`${name}_share`]),
      shareOf(settings.body_mib * 1_048_576, settings[`${name}_share`]),
    ),
  }))
  return {
    atWork: () => atWork.login + atWork.request,
    acquire(kind) {
      if (atWork[kind] >= slots[kind]) {
        const details = { status: 503, retryAfter: 1 } as const
        throw new ProblemError('overloaded', `too many ${kind}s are at work`, details)
      }
      atWork[kind] += 1
      return once(() => {
        atWork[kind] -= 1
      })
    },
    acquireFor(work) {
      const full = shares.find(({ name, share }) => !share.hasCapacity(work[name], work.bytes))
      if (full !== undefined) {
        const details = { status: 429, retryAfter: 1 } as const
        throw new ProblemError('rate_limited', `too much of this ${full.name} is at work`, details)
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

/** What each name has at work. One request always has room, however large it is. */
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
