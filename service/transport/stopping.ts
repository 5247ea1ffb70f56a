/** The end of kept-alive connections while the service stops. */
import type { MiddlewareHandler } from 'hono'

/**
 * Ends each connection with its next answer once `isStopping`. Without it a client that sends without a pause would
 * be served over its old connection until that is cut, in the middle of a request.
 */
export function closeConnections(isStopping: () => boolean): MiddlewareHandler {
  return async function closeConnectionsWhenStopping(c, next) {
    await next()
    if (isStopping()) c.res.headers.set('connection', 'close')
  }
}
