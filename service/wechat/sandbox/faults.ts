/** Failures on order, and the count of calls. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { createMiddleware } from 'hono/factory'
import { type Random, refusal } from './answers.ts'

/** What one call shall suffer. A field that is undefined changes nothing. */
export interface Fault {
  /** Answer with this errcode instead of doing the call. */
  readonly errcode: number | undefined
  /** Answer with this HTTP status instead of doing the call. */
  readonly status: number | undefined
  /** Answer with this text instead of doing the call. */
  readonly body: string | undefined
  /** Do the call, or answer as above, but only after this time. */
  readonly delayMs: number
  /** Do the call, then cut the connection in place of the answer. */
  readonly drop: boolean
}

export interface Faults {
  /** @param path a path of the API, without its leading slash. */
  add(path: string, fault: Fault, times: number): void
  /** Counts a call of `path` and returns the fault that it shall suffer. */
  next(path: string): Fault | undefined
  /** How often each path was called, faulty calls included. */
  calls(): Record<string, number>
}

export function createFaults(paths: readonly string[]): Faults {
  const counts = new Map(paths.map((path) => [path, 0]))
  const queues = new Map<string, { readonly fault: Fault; left: number }[]>()

  function add(path: string, fault: Fault, times: number): void {
    queues.set(path, [...(queues.get(path) ?? []), { fault, left: times }])
  }

  function next(path: string): Fault | undefined {
    counts.set(path, (counts.get(path) ?? 0) + 1)
    const queue = queues.get(path)
    const first = queue?.[0]
    if (queue === undefined || first === undefined) return undefined
    first.left -= 1
    if (first.left === 0) queue.shift()
    return first.fault
  }

  return { add, next, calls: () => Object.fromEntries(counts) }
}

/**
 * Counts the calls of one path and applies its faults. A delayed or cut call has its effect before the answer is
 * late or lost: that is the case in which a client that repeats a code finds it used.
 */
export function faultyCalls(path: string, faults: Faults, random: Random) {
  return createMiddleware<{ Bindings: HttpBindings }>(async function faultyCall(c, next) {
    const fault = faults.next(path)
    if (fault === undefined) return next()
    const instead = replacement(fault, random)
    if (instead === undefined) await next()
    if (fault.delayMs > 0) await sleep(fault.delayMs)
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

/** Does not keep the process alive, so that a sandbox that is closed meanwhile can end. */
function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds).unref())
}
