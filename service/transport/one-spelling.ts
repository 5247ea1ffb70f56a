/** Middleware: a path has one spelling, so that what a proxy in front does not let through comes in by no other. */
import type { HttpBindings } from '@hono/node-server'
import type { MiddlewareHandler } from 'hono'

/** Dot segments, what ends a path or parts it for some, and percent-encoding of what needs none: a router would take it away. */
const nonCanonicalPath =
  /\/(?:\.|%2[Ee]){1,2}(?:\/|$)|[\\#]|%(?:2[DdEeFf]|3[0-9]|4[1-9A-Fa-f]|5[0-9AaCcFf]|6[1-9A-Fa-f]|7[0-9AaEe])/

/** `/pus%68`, `/x/../push` and `/push#` are not there. The path is attacker-controlled. */
export function rejectNonCanonicalPath(): MiddlewareHandler<{ Bindings: HttpBindings }> {
  return async function plainPath(c, next) {
    const [path = ''] = (c.env.incoming.url ?? '').split('?', 1)
    if (nonCanonicalPath.test(path)) return await c.notFound()
    await next()
    return undefined
  }
}
