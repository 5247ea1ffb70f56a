/** Every route of the channel. To add one, define it and list it here; `npm run docs` updates the OpenAPI document. */
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { pathWithoutQuery } from 'miniseal-protocol/http-signatures/message-rules'
import { deviceRoutes } from './devices.ts'
import { eventRoutes } from './events.ts'
import { outcomeRoutes } from './outcomes.ts'
import { receiptRoutes } from './receipts.ts'
import { defaultPolicy, prefixOf, type Route, type Routing } from './route.ts'
import { sessionRoutes } from './sessions.ts'
import { wechatDataRoutes } from './wechat-data.ts'

export const routes: readonly Route[] = [
  ...sessionRoutes,
  ...deviceRoutes,
  ...eventRoutes,
  ...receiptRoutes,
  ...outcomeRoutes,
  ...wechatDataRoutes,
]

const fixedRoutes = new Map(
  routes.filter(({ path }) => !path.includes('{')).map((route) => [`${route.method} ${route.path}`, route]),
)
const prefixRoutes = routes.filter(({ path }) => path.includes('{'))

/** Attacker-controlled. A path matches only in its exact spelling. */
function findRoute({ method, path }: Pick<RequestMessage, 'method' | 'path'>): Route | undefined {
  const pathname = pathWithoutQuery(path)
  const route =
    fixedRoutes.get(`${method} ${pathname}`) ??
    prefixRoutes.find((other) => other.method === method && pathname.startsWith(prefixOf(other.path)))
  return path !== pathname && route?.query === undefined ? undefined : route
}

export function routingOf(request: Pick<RequestMessage, 'method' | 'path'>): Routing {
  const route = findRoute(request)
  return { route, policy: route ?? defaultPolicy(request.method) }
}
