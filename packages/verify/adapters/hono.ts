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
import { findRefusal, readFetchBody } from './adapter.ts'

/** For `new Hono<{ Variables: MinisealVariables }>()`. */
export interface MinisealVariables {
  /** The verified caller. */
  readonly miniseal: Caller
}

/**
 * Sets `c.var.miniseal`. Handlers read the verified body as usual.
 *
 * Answers 401 with a problem document (RFC 9457) when the request is not verified, 413 for a large body, 503 when the keys
 * cannot be fetched. A body that was read before is a TypeError for the error handler.
 */
export function miniseal(options: AdapterOptions): MiddlewareHandler<{ Variables: MinisealVariables }> {
  const verify = createVerifier(options)
  return async (c, next) => {
    const refusal = await findRefusal(options, async () => {
      const { raw } = c.req
      const body = await readFetchBody(raw, options.maxBody)
      c.set('miniseal', await verify(raw, body))
      if (body.length === 0) return
      const { method, headers, signal } = raw
      c.req.raw = new Request(raw.url, { method, headers, signal, body })
    })
    if (refusal === undefined) return await next()
    const { status, headers, problem } = refusal
    return new Response(JSON.stringify(problem), { status, headers })
  }
}
