/** All limits of one service. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { ProblemError } from '../problems/problem-error.ts'
import { type BodyMemoryBudget, createBodyMemoryBudget } from './body-memory.ts'
import { type Sender, senderOf } from './client-address.ts'
import {
  type ConcurrencyLimits,
  createConcurrencyLimits,
  createSocketSlots,
  type Release,
  type SocketSlots,
} from './concurrency.ts'
import {
  type Counted,
  createStorageQuota,
  createWindow,
  rateLimitFields,
  type StorageQuota,
  type Window,
} from './rate-limits.ts'
import type { LimitSettings, Rate } from './settings.ts'

/** Current usage, for the metrics. */
export interface ResourceUsage {
  /** Exchanges and pushes in process. */
  readonly inFlight: number
  /** Bytes reserved for bodies. */
  readonly bodyBytes: number
}

/** The sender of a verified request. */
export interface Requester {
  readonly user: string
  readonly device: string
  readonly appid: string
}

export interface Limits {
  /** The client of a connection. The headers are attacker-controlled. */
  sender(
    remote: string | undefined,
    headers: { readonly forwardedFor: string | undefined; readonly userAgent: string | undefined },
  ): Sender
  readonly bodyMemory: BodyMemoryBudget
  readonly storage: StorageQuota
  readonly sockets: SocketSlots
  usage(): ResourceUsage
  /**
   * Counts a frame for its address group and acquires a slot.
   *
   * @returns releases the slot
   * @throws ProblemError `overloaded`: 429 for too many frames of one source, 503 when no slot is free.
   */
  admitFrame(source: string, kind: 'login' | 'request'): Promise<Release>
  /** Acquires a share of the concurrency of the device, the user and the route. */
  readonly acquireShare: ConcurrencyLimits['acquireShare']
  /** @throws ProblemError `overloaded` (429). */
  countHandshake(source: string): Promise<void>
  /**
   * Counts a verified request for its device, its user and its app, in this order. The first exceeded limit refuses,
   * so one device cannot use up the allowance of its user or app.
   *
   * @returns the fields `ratelimit-policy` and `ratelimit` of the response.
   * @throws ProblemError `rate_limited` (429), with the same fields.
   */
  countRequest(requester: Requester): Promise<readonly Field[]>
  /** Counts an outcome query for its user. Returns and throws as {@link Limits.countRequest}. */
  countOutcomeQuery(requester: Pick<Requester, 'user'>): Promise<readonly Field[]>
  /** Counts a push for its address group, before its signature is verified. As {@link Limits.admitFrame}. */
  admitPush(source: string): Promise<Release>
  /** Counts a verified push for the key that signed it. As {@link Limits.countRequest}. */
  countPush(key: string): Promise<readonly Field[]>
}

/**
 * @param trustedProxies number of the operator's own proxies that append to X-Forwarded-For
 * @param bodyGrace milliseconds, see {@link createBodyMemoryBudget}
 */
export function createLimits(settings: LimitSettings, trustedProxies: number, bodyGrace?: number): Limits {
  const frames = createWindow(settings.frame_ip)
  const handshakes = createWindow(settings.handshake_ip)
  const pushesOfAddress = createWindow(settings.push_ip)
  const pushesOfKey = createWindow(settings.push_key)
  const outcomes = createWindow(settings.outcome)
  const concurrency = createConcurrencyLimits(settings)
  const bodyMemory = createBodyMemoryBudget(settings.body_mib * 1_048_576, bodyGrace)
  return {
    sender: (remote, headers) => senderOf(remote, headers, trustedProxies),
    bodyMemory,
    storage: createStorageQuota(settings),
    sockets: createSocketSlots(settings),
    usage: () => ({ inFlight: concurrency.inFlight(), bodyBytes: bodyMemory.reserved() }),
    async admitFrame(source, kind) {
      await countUnauthenticated(frames, source, 'frames')
      return concurrency.acquire(kind)
    },
    acquireShare: concurrency.acquireShare,
    countHandshake: (source) => countUnauthenticated(handshakes, source, 'handshakes'),
    countRequest: requestCounter(settings),
    countOutcomeQuery: ({ user }) => countOne(outcomes, user, 'outcome', settings.outcome),
    async admitPush(source) {
      await countUnauthenticated(pushesOfAddress, source, 'pushes')
      return concurrency.acquire('request')
    },
    countPush: (key) => countOne(pushesOfKey, key, 'key', settings.push_key),
  }
}

function requestCounter(settings: LimitSettings): Limits['countRequest'] {
  const windows = {
    device: createWindow(settings.device),
    user: createWindow(settings.user),
    app: createWindow(settings.app),
  }
  return async ({ device, user, appid }) => {
    const counted: Counted[] = []
    for (const [name, key] of [
      ['device', device],
      ['user', user],
      ['app', appid],
    ] as const) {
      const quota = await windows[name].consume(key)
      // The load of an app is disclosed only when it is the reason for a refusal.
      if (name !== 'app' || !quota.isWithin) counted.push({ name, rate: settings[name], quota })
      if (!quota.isWithin) throw rateLimited(counted)
    }
    return rateLimitFields(counted)
  }
}

async function countUnauthenticated(
  window: Window,
  source: string,
  unit: 'frames' | 'handshakes' | 'pushes',
): Promise<void> {
  const { isWithin, resetsIn } = await window.consume(source)
  if (isWithin) return
  throw new ProblemError('overloaded', `too many ${unit} from this address`, {
    status: 429,
    retryAfter: resetsIn,
  })
}

async function countOne(
  window: Window,
  key: string,
  name: Counted['name'],
  rate: Rate,
): Promise<readonly Field[]> {
  const counted = [{ name, rate, quota: await window.consume(key) }]
  if (!counted[0]?.quota.isWithin) throw rateLimited(counted)
  return rateLimitFields(counted)
}

/** The last limit is the exceeded one. */
function rateLimited(counted: readonly Counted[]): ProblemError {
  const exceeded = counted.at(-1)
  return new ProblemError('rate_limited', `too many requests of this ${exceeded?.name}`, {
    status: 429,
    retryAfter: exceeded?.quota.resetsIn,
    fields: rateLimitFields(counted),
  })
}
