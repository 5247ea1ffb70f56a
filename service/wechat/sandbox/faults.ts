/** Refusals of the sandbox, injected faults, counts of calls. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { createMiddleware } from 'hono/factory'
import type { Random } from './credentials.ts'

/** A refusal as WeChat sends it. */
interface Refusal {
  readonly errcode: number
  readonly errmsg: string
}

/** The errmsg of each errcode, from WeChat's pages and community. */
const texts: ReadonlyMap<number, string> = new Map([
  [-1, 'system error'],
  [40001, 'invalid credential, access_token is invalid or not latest'],
  [40002, 'invalid grant_type'],
  [40013, 'invalid appid'],
  [40029, 'invalid code'],
  [40125, 'invalid appsecret'],
  [40163, 'code been used'],
  [40226, 'code blocked'],
  [40243, 'AppSecret has been frozen'],
  [41001, 'access_token missing'],
  [41002, 'appid missing'],
  [41004, 'appsecret missing'],
  [41008, 'missing code'],
  [42001, 'access_token expired'],
  [45009, 'reach max api daily quota limit'],
  [45011, 'api minute-quota reach limit, must slower, retry next minute'],
  [47001, 'data format error'],
  [61007, 'api unauthorized'],
  [61010, 'no recent visit of this openid'],
  [87008, 'invalid sig_method'],
  [87009, 'invalid signature'],
])

/** The answer for `errcode`, with a request id of WeChat's form: three groups of eight hexadecimal digits. */
export function refusal(errcode: number, random: Random): Refusal {
  const rid = [0, 1, 2].map(() => Buffer.from(random(4)).toString('hex')).join('-')
  return { errcode, errmsg: `${texts.get(errcode) ?? 'error'}, rid: ${rid}` }
}

/** A fault of one call. An undefined member has no effect. */
export interface Fault {
  /** Answer with this errcode instead of doing the call. */
  readonly errcode: number | undefined
  /** Answer with this HTTP status instead of doing the call. */
  readonly status: number | undefined
  /** Answer with this text instead of doing the call. */
  readonly body: string | undefined
  /** Delay the answer, in milliseconds. */
  readonly delayMs: number
  /** Do the call, then close the connection instead of answering. */
  readonly drop: boolean
}

type Faults = ReturnType<typeof createFaults>

/** @param paths of the API, without a leading slash */
export function createFaults(paths: readonly string[]) {
  const counts = new Map(paths.map((path) => [path, 0]))
  const queues = new Map<string, { readonly fault: Fault; left: number }[]>()
  return {
    add(path: string, fault: Fault, times: number): void {
      queues.set(path, [...(queues.get(path) ?? []), { fault, left: times }])
    },
    /** Counts a call of `path`. @returns its fault */
    next(path: string): Fault | undefined {
      counts.set(path, (counts.get(path) ?? 0) + 1)
      const queue = queues.get(path)
      const first = queue?.[0]
      if (queue === undefined || first === undefined) return undefined
      first.left -= 1
      if (first.left === 0) queue.shift()
      return first.fault
    },
    /** The number of calls of each path, including those with a fault. */
    calls: (): Record<string, number> => Object.fromEntries(counts),
  }
}

/**
 * Counts the calls of one path and applies its faults. A delayed or dropped call takes effect first: a client that repeats
 * the code gets "used".
 */
export function faultyCalls(path: string, faults: Faults, random: Random) {
  return createMiddleware<{ Bindings: HttpBindings }>(async function faultyCall(c, next) {
    const fault = faults.next(path)
    if (fault === undefined) return next()
    const instead = replacement(fault, random)
    if (instead === undefined) await next()
    if (fault.delayMs > 0) await sleep(fault.delayMs, undefined, { ref: false })
    if (fault.drop) {
      c.env.incoming.socket.destroy()
      return RESPONSE_ALREADY_SENT
    }
    return instead
  })
}

function replacement(fault: Fault, random: Random): Response | undefined {
  const { errcode, status = 200, body } = fault
  if (errcode === undefined && fault.status === undefined && body === undefined) return undefined
  const text = body ?? (errcode === undefined ? '' : JSON.stringify(refusal(errcode, random)))
  // These statuses have no body; Response refuses one.
  const bodiless = status === 204 || status === 205 || status === 304
  return new Response(bodiless ? null : text, { status, headers: { 'content-type': 'text/plain' } })
}
