/** Every limit of one service: who may send how much, and how much is at work at one time. */
import type { Field } from 'miniseal-protocol/frames/binary-http'
import { ProblemError } from '../problems/problem-error.ts'
import type { BodyMemoryBudget } from './bodies.ts'
import { createBodyMemoryBudget } from './bodies.ts'
import type { ConcurrencyLimits, Release } from './bulkheads.ts'
import { createConcurrencyLimits } from './bulkheads.ts'
import type { LimitSettings, Rate } from './settings.ts'
import type { SocketSlots } from './sockets.ts'
import { createSocketSlots } from './sockets.ts'
import type { Sender } from './source.ts'
import { senderOf, sourceOf } from './source.ts'
import { createStorageQuota, type StorageQuota } from './storage.ts'
import type { Quota, Window } from './window.ts'
import { createWindow } from './window.ts'

/** What is taken now. */
export interface Taken {
  /** Exchanges and pushes at work. */
  readonly inFlight: number
  /** Bytes of memory that are reserved for bodies. */
  readonly bodyBytes: number
}

/** Whose request it is, once signature and access token say so. */
export interface Requester {
  readonly user: string
  readonly device: string
  readonly appid: string
}

export interface Limits {
  /** The address group of a client, from the connection and an attacker-controlled X-Forwarded-For. */
  source(remote: string | undefined, forwardedFor: string | undefined): string
  /** The same client, for the audit log too. */
  sender(
    remote: string | undefined,
    headers: { readonly forwardedFor: string | undefined; readonly userAgent: string | undefined },
  ): Sender
  /** Room for outer bodies. */
  readonly bodies: BodyMemoryBudget
  taken(): Taken
  /** What users and devices make the service store. */
  readonly storage: StorageQuota
  /** Places for sockets. */
  readonly sockets: SocketSlots
  /**
   * Counts a frame and takes a place among the exchanges at work, or among the logins at work.
   *
   * @returns gives the place back; call it once.
   * @throws ProblemError `overloaded`: 429 for too many frames of one source, 503 when every place is taken.
   */
  takeFrame(source: string, kind: 'login' | 'request'): Promise<Release>
  /** What one device, user and route have at work. */
  readonly acquireFor: ConcurrencyLimits['acquireFor']
  /** Counts a handshake. @throws ProblemError `overloaded` (429). */
  takeHandshake(source: string): Promise<void>
  /**
   * Counts a verified request for its device, its user and its app, in this order; the first that is over its limit
   * refuses, so that one device does not use up what belongs to others.
   *
   * @returns the fields `ratelimit-policy` and `ratelimit` of the answer (draft-ietf-httpapi-ratelimit-headers-10).
   * @throws ProblemError `rate_limited` (429), with the same fields.
   */
  takeRequest(requester: Requester): Promise<readonly Field[]>
  /**
   * Counts a request about the outcome of another, for its user alone and apart from all others.
   *
   * @returns as {@link Limits.takeRequest}.
   * @throws ProblemError as {@link Limits.takeRequest}.
   */
  takeOutcome(requester: Pick<Requester, 'user'>): Promise<readonly Field[]>
  /**
   * Counts a push of an address before its signature is looked at, and takes a place among all that is at work.
   *
   * @returns as {@link Limits.takeFrame}.
   * @throws ProblemError as {@link Limits.takeFrame}.
   */
  takePush(source: string): Promise<Release>
  /**
   * Counts a verified push for the key that signed it.
   *
   * @returns the fields `ratelimit-policy` and `ratelimit`.
   * @throws ProblemError `rate_limited` (429), with the same fields.
   */
  takePushOf(key: string): Promise<readonly Field[]>
}

/** @param trustedProxies how many proxies of our own append to X-Forwarded-For */
export function createLimits(settings: LimitSettings, trustedProxies: number): Limits {
  const frames = createWindow(settings.frame_ip)
  const handshakes = createWindow(settings.handshake_ip)
  const pushes = createWindow(settings.push_ip)
  const pushesOf = createWindow(settings.push_key)
  const outcomes = createWindow(settings.outcome)
  const windows = {
    device: createWindow(settings.device),
    user: createWindow(settings.user),
    app: createWindow(settings.app),
  }
  const bulkheads = createConcurrencyLimits(settings)
  const bodies = createBodyMemoryBudget(settings.body_mib * 1_048_576)
  return {
    source: (remote, forwardedFor) => sourceOf(remote, forwardedFor, trustedProxies),
    sender: (remote, headers) => senderOf(remote, headers, trustedProxies),
    taken: () => ({ inFlight: bulkheads.atWork(), bodyBytes: bodies.reserved() }),
    bodies,
    storage: createStorageQuota(settings),
    sockets: createSocketSlots(settings),
    async takeFrame(source, kind) {
      await consumeUnauthenticated(frames, source, 'frames')
      return bulkheads.acquire(kind)
    },
    acquireFor: bulkheads.acquireFor,
    takeHandshake: (source) => consumeUnauthenticated(handshakes, source, 'frames'),
    async takeRequest({ device, user, appid }) {
      const counted: Counted[] = []
      for (const [name, key] of [
        ['device', device],
        ['user', user],
        ['app', appid],
      ] as const) {
        const quota = await windows[name].take(key)
        // How busy the others of an app are is nobody's business, unless it is why a request is refused.
        if (name !== 'app' || !quota.isWithin) counted.push({ name, rate: settings[name], quota })
        if (!quota.isWithin) throw refusalOf(name, quota, rateFields(counted))
      }
      return rateFields(counted)
    },
    async takePush(source) {
      await consumeUnauthenticated(pushes, source, 'pushes')
      return bulkheads.acquire('request')
    },
    takeOutcome: ({ user }) => takeOne(outcomes, user, 'outcome', settings.outcome),
    takePushOf: (key) => takeOne(pushesOf, key, 'key', settings.push_key),
  }
}

async function consumeUnauthenticated(
  window: Window,
  source: string,
  what: 'frames' | 'pushes',
): Promise<void> {
  const { isWithin, resetsIn } = await window.take(source)
  if (isWithin) return
  throw new ProblemError('overloaded', `too many ${what} from this address`, {
    status: 429,
    retryAfter: resetsIn,
  })
}

async function takeOne(
  window: Window,
  key: string,
  name: Counted['name'],
  rate: Rate,
): Promise<readonly Field[]> {
  const quota = await window.take(key)
  const fields = rateFields([{ name, rate, quota }])
  if (!quota.isWithin) throw refusalOf(name, quota, fields)
  return fields
}

interface Counted {
  readonly name: 'device' | 'user' | 'app' | 'key' | 'outcome'
  readonly rate: Rate
  readonly quota: Quota
}

function refusalOf(name: Counted['name'], { resetsIn }: Quota, fields: readonly Field[]): ProblemError {
  const details = { status: 429, retryAfter: resetsIn, fields } as const
  return new ProblemError('rate_limited', `too many requests of this ${name}`, details)
}

/** Structured-field lists: one policy and one state for each limit that was counted. */
function rateFields(counted: readonly Counted[]): readonly Field[] {
  const policies = counted.map(({ name, rate }) => `"${name}";q=${rate.count};w=${rate.seconds}`)
  const states = counted.map(({ name, quota }) => `"${name}";r=${quota.remaining};t=${quota.resetsIn}`)
  return [
    ['ratelimit-policy', policies.join(', ')],
    ['ratelimit', states.join(', ')],
  ]
}
