/**
 * Hono 4: middleware that verifies every request before the handlers.
 *
 * ```
 * app.use(miniseal({ origin: 'https://pay.example.com' }))
 * app.post('/orders', async (c) => c.json({ user: c.var.miniseal.user, order: await c.req.json() }))
 * ```
 */
import type { MiddlewareHandler } from 'hono'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { createVerifier } from '../verify.ts'
import type { AdapterOptions } from './adapter.ts'
import { readFetchBody, refusalOf } from './adapter.ts'

/** For `new Hono<{ Variables: MinisealVariables }>()`. */
export interface MinisealVariables {
  /** The verified caller. */
  readonly miniseal: Caller
}

/**
 * Sets `c.var.miniseal`. Handlers read the verified body as usual.
 *
 * A request that is not verified gets 401 and a problem document (RFC 9457); 413 for a large body, 503 when the keys
 * cannot be fetched. A body that was read before is a TypeError for the error handler.
 */
export function miniseal(options: AdapterOptions): MiddlewareHandler<{ Variables: MinisealVariables }> {
  const verify = createVerifier(options)
  return async (c, next) => {
    try {
      const { raw } = c.req
      const body = await readFetchBody(raw, options.maxBody)
      c.set('miniseal', await verify(raw, body))
      if (body.length > 0) {
        const { method, headers, signal } = raw
        c.req.raw = new Request(raw.url, { method, headers, signal, body })
      }
    } catch (error) {
      const refusal = refusalOf(error, options.origin)
      if (refusal === undefined) throw error
      return new Response(JSON.stringify(refusal.problem), {
        status: refusal.status,
        headers: refusal.headers,
      })
    }
    return await next()
  }
}
