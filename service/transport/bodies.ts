/** Middleware: outer bodies take room before they are read, and slow ones lose it (see `limits/bodies.ts`). */
import type { HttpBindings } from '@hono/node-server'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { ExchangeContext } from '../channel/context.ts'
import type { Reservation } from '../limits/bodies.ts'
import { clearAnswer, maxBody, senderOf, sourceOf } from './channel.ts'

/** Stands before everything that reads a body. A body that finds no room is `overloaded` (503) and is not read. */
export function boundBodies(context: ExchangeContext): MiddlewareHandler<{ Bindings: HttpBindings }> {
  const { bodies } = context.limits
  const largest = maxBody(context.settings.maxFrame)
  return async function boundBody(c, next) {
    const { incoming } = c.env
    let room: Reservation
    try {
      const bytes = Math.min(declaredLength(incoming.headers['content-length']) ?? largest, largest)
      room = bodies.take(sourceOf(context, c), bytes, () => incoming.destroy())
    } catch (error) {
      const answer = await clearAnswer(context, error, senderOf(context, c))
      // The body is not read, so nothing else can come over this connection.
      answer.headers.set('connection', 'close')
      return answer
    }
    incoming.once('end', room.arrived)
    try {
      await next()
      return undefined
    } finally {
      room.release()
    }
  }
}

/** `undefined` for a body in chunks, which may become as large as any. */
function declaredLength(field: string | undefined): number | undefined {
  return field !== undefined && /^[0-9]{1,15}$/.test(field) ? Number(field) : undefined
}

/** A size in bytes, and the answer to a body over it. */
interface BodyLimit {
  readonly maxSize: number
  readonly onError: (c: Context) => Response | Promise<Response>
}

/**
 * Refuses bodies over a size. A declared length is enough to tell, because no more than that is read of a body; only
 * one in chunks is counted while it arrives, which takes a stream and is several times as slow.
 */
export function limitBody(limit: BodyLimit): MiddlewareHandler<{ Bindings: HttpBindings }> {
  const counted = bodyLimit(limit)
  return async function limitBodySize(c, next) {
    const { headers } = c.env.incoming
    const length = declaredLength(headers['content-length'])
    if (length === undefined || headers['transfer-encoding'] !== undefined) return await counted(c, next)
    if (length > limit.maxSize) return await limit.onError(c)
    return await next()
  }
}
