/**
 * Express 5: middleware that verifies every request before the handlers.
 *
 * ```
 * app.use(miniseal({ origin: 'https://pay.example.com' }))
 * app.post('/orders', (req, res) => res.json({ user: req.miniseal?.user, order: req.body }))
 * ```
 */
import type { RequestHandler } from 'express'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { createVerifier } from '../verify.ts'
import type { AdapterOptions } from './adapter.ts'
import { findRefusal, parseBody, readBody } from './adapter.ts'

declare global {
  namespace Express {
    interface Request {
      /** The verified caller; absent on routes without the middleware. */
      miniseal?: Caller
      /** The body as it arrived. */
      rawBody?: Buffer
    }
  }
}

/**
 * Sets `req.miniseal`, `req.rawBody` and `req.body`: the value of a JSON body, else the bytes. Mount it before every body
 * parser; parsers after it skip a body that was read.
 *
 * Answers 401 with a problem document (RFC 9457) when the request is not verified, 413 for a large body, 400 for malformed
 * JSON, 503 when the keys cannot be fetched. A body that was read before is a TypeError for the error handler.
 */
export function miniseal(options: AdapterOptions): RequestHandler {
  const verify = createVerifier(options)
  return async (request, response, next) => {
    const refusal = await findRefusal(options, async () => {
      const body = await readBody(request, options.maxBody)
      const { method, originalUrl: url, headers, rawHeaders } = request
      request.miniseal = await verify({ method, url, headers, rawHeaders }, body)
      request.rawBody = body
      request.body = parseBody(body, headers)
    })
    if (refusal === undefined) next()
    else response.writeHead(refusal.status, refusal.headers).end(JSON.stringify(refusal.problem))
  }
}
