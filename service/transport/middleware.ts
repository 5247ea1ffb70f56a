/** HTTP middleware: canonical paths, body limits, connection close on shutdown. */
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ExchangeContext } from '../channel/context.ts'
import type { Reservation } from '../limits/body-memory.ts'
import { clearAnswer, closing, maxBody, senderOf } from './seal.ts'

type Middleware = MiddlewareHandler<{ Bindings: HttpBindings }>

/** Dot segments, `\`, `#`, and percent-encoded unreserved characters or separators, which a router would decode. */
const nonCanonicalPath =
  /\/(?:\.|%2[Ee]){1,2}(?:\/|$)|[\\#]|%(?:2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEe])/

/**
 * Answers 404 for non-canonical paths such as `/pus%68` and `/x/../push`, so that path rules of a reverse proxy cannot
 * be bypassed. The path is attacker-controlled.
 */
export function rejectNonCanonicalPath(): Middleware {
  return async function rejectNonCanonical(c, next) {
    const [path = ''] = (c.env.incoming.url ?? '').split('?', 1)
    if (nonCanonicalPath.test(path)) return await c.notFound()
    await next()
    return undefined
  }
}

/**
 * Closes each connection after its next response once the service is stopping. Otherwise a busy client would keep its
 * connection until it is terminated in the middle of a request.
 */
export function closeConnections(isStopping: () => boolean): MiddlewareHandler {
  return async function closeConnectionsWhenStopping(c, next) {
    await next()
    if (isStopping()) c.res.headers.set('connection', 'close')
  }
}

/** Reserves memory before the body is read. Without a reservation the request is `overloaded` (503). */
export function reserveBodyMemory(context: ExchangeContext): Middleware {
  const { bodyMemory } = context.limits
  const largest = maxBody(context.settings.maxFrame)
  return async function reserveMemory(c, next) {
    const { incoming } = c.env
    const sender = senderOf(context, c)
    let reservation: Reservation
    try {
      const bytes = Math.min(declaredLength(incoming.headers['content-length']) ?? largest, largest)
      reservation = bodyMemory.reserve(sender.source, bytes, () => incoming.destroy())
    } catch (error) {
      return closing(await clearAnswer(context, error, sender))
    }
    incoming.once('end', reservation.complete)
    try {
      await next()
      return undefined
    } finally {
      reservation.release()
    }
  }
}

/** `undefined` for a chunked body. */
function declaredLength(field: string | undefined): number | undefined {
  return field !== undefined && /^[0-9]{1,15}$/.test(field) ? Number(field) : undefined
}

interface BodyLimit {
  /** Bytes. */
  readonly maxSize: number
  /** The response to a larger body. */
  readonly onError: (c: Context) => Response | Promise<Response>
}

/**
 * Limits the size of bodies. For a declared length the header is enough, since Node reads no more than that. Hono's
 * limit, which counts a stream and is several times slower, runs for chunked bodies only.
 */
export function limitBody(limit: BodyLimit): Middleware {
  const limitChunked = bodyLimit(limit)
  return async function limitBodySize(c, next) {
    const { headers } = c.env.incoming
    const length = declaredLength(headers['content-length'])
    if (length === undefined || headers['transfer-encoding'] !== undefined) return await limitChunked(c, next)
    if (length > limit.maxSize) return await limit.onError(c)
    return await next()
  }
}
