/**
 * Fastify 5: a plugin that verifies every request of its scope before the body is parsed.
 *
 * ```
 * await app.register(miniseal, { origin: 'https://pay.example.com' })
 * app.post('/orders', (request) => ({ user: request.miniseal?.user, order: request.body }))
 * ```
 */
import { Readable } from 'node:stream'
import type { FastifyPluginCallback } from 'fastify'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { createVerifier } from '../verify.ts'
import type { AdapterOptions } from './adapter.ts'
import { findRefusal, readBody } from './adapter.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified caller; absent outside the scope of the plugin. */
    miniseal: Caller | undefined
  }
}

/**
 * Sets `request.miniseal`. Fastify's own content type parsers get the verified body.
 *
 * Answers 401 with a problem document (RFC 9457) when the request is not verified, 413 for a large body, 503 when the keys
 * cannot be fetched. A body that was read before is a TypeError for the error handler.
 */
export const miniseal: FastifyPluginCallback<AdapterOptions> = (app, options, done) => {
  const verify = createVerifier(options)
  app.decorateRequest('miniseal', undefined)
  app.addHook('preParsing', async (request, reply, payload) => {
    let stream = payload
    const refusal = await findRefusal(options, async () => {
      const body = await readBody(payload as Readable, options.maxBody)
      const { method, headers, rawHeaders } = request.raw
      request.miniseal = await verify({ method, url: request.originalUrl, headers, rawHeaders }, body)
      // Fastify compares `receivedEncodedLength` with content-length.
      stream = Object.assign(Readable.from(body), { receivedEncodedLength: body.length })
    })
    if (refusal !== undefined)
      reply.code(refusal.status).headers(refusal.headers).send(JSON.stringify(refusal.problem))
    return stream
  })
  done()
}

// Like fastify-plugin: the hook applies to the scope that registers the plugin.
Object.assign(miniseal, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'miniseal',
})
