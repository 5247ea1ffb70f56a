/**
 * Koa 3: middleware that verifies every request.
 *
 * ```
 * app.use(miniseal({ origin: 'https://pay.example.com' }))
 * app.use((ctx) => { ctx.body = { user: ctx.state.miniseal.user } })
 * ```
 */
import type { Middleware } from 'koa'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { createVerifier } from '../verify.ts'
import type { AdapterOptions } from './adapter.ts'
import { findRefusal, parseBody, readBody } from './adapter.ts'

export interface MinisealState {
  /** The verified caller. */
  miniseal: Caller
  /** The body as it arrived. */
  rawBody: Buffer
}

/**
 * Sets `ctx.state.miniseal`, `ctx.state.rawBody` and `ctx.request.body`: the value of a JSON body, else the bytes. Mount
 * it before every body parser.
 *
 * Answers 401 with a problem document (RFC 9457) when the request is not verified, 413 for a large body, 400 for malformed
 * JSON, 503 when the keys cannot be fetched. A body that was read before is a TypeError.
 */
export function miniseal(options: AdapterOptions): Middleware<MinisealState> {
  const verify = createVerifier(options)
  return async (context, next) => {
    const refusal = await findRefusal(options, async () => {
      const body = await readBody(context.req, options.maxBody)
      const { method, headers, rawHeaders } = context.req
      context.state.miniseal = await verify({ method, url: context.originalUrl, headers, rawHeaders }, body)
      context.state.rawBody = body
      Object.assign(context.request, { body: parseBody(body, headers) })
    })
    if (refusal === undefined) return next()
    context.status = refusal.status
    context.set(refusal.headers)
    context.body = JSON.stringify(refusal.problem)
  }
}
