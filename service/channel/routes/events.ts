/** The inner routes of events: listed, or asked to be sent over the socket (protocol, section 4, "Over a socket"). */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { parseEvent, storedEvent } from '../../events/event.ts'
import type { EventPage, Outbox } from '../../events/outbox.ts'
import type { SocketEffects } from '../../events/subscriptions.ts'
import type { Caller } from '../../gateway/backend.ts'
import { parseJsonContent, shapedReply } from '../../messages/json.ts'
import type { Write } from '../../store/store.ts'

/** What the handlers look at; none of it writes. */
export interface EventServices {
  readonly outbox: Pick<Outbox, 'read'>
  /** Absent over HTTP. */
  readonly socket?: SocketEffects
}

interface EventRouteResult {
  readonly reply: ResponseMessage
  readonly writes: readonly Write[]
}

/** The most events of one page, and where a page ends by its bytes: well within a frame. */
const maxPage = 100
const maxPageBytes = 524_288

const position = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const subscriptionBody = z.strictObject({ after: position })

/** Where the events that are kept begin and end. */
const positionFields = { from: position, first: position, last: position }

/** What a subscription is answered with: the events themselves come over the socket. */
export const subscriptionReply = z.strictObject(positionFields)

export const eventsReply = z.strictObject({
  events: z.array(z.looseObject({ sequence: position, ...storedEvent.shape })),
  ...positionFields,
})

/**
 * Decides a request under `/events`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `not_found` for a path under `/events` that nothing answers; `payload_invalid` for a query or
 *   body of another form, and for a subscription that did not come over a socket.
 */
export async function handleEventRoute(
  services: EventServices,
  message: RequestMessage,
  caller: Caller,
): Promise<EventRouteResult | undefined> {
  const { method, path } = message
  const [route, ...query] = path.split('?')
  if (route !== '/events' && !route?.startsWith('/events/')) return undefined
  if (method === 'GET' && route === '/events') return await listEvents(services, query.join('?'), caller)
  if (method === 'POST' && path === '/events/subscription') return await subscribe(services, message, caller)
  throw new ProtocolError('not_found', 'there is nothing at this path')
}

async function listEvents(
  { outbox }: EventServices,
  query: string,
  { user }: Caller,
): Promise<EventRouteResult> {
  const { after, limit } = parseQuery(query)
  const page = await outbox.read(user, after, limit)
  const events: z.infer<typeof eventsReply>['events'] = []
  let bytes = 0
  for (const { sequence, event } of page.events) {
    bytes += event.length
    if (bytes > maxPageBytes && events.length > 0) break
    events.push({ sequence, ...parseEvent(decodeUtf8(event)) })
  }
  return { reply: shapedReply(eventsReply, 200, { events, ...positionsOf(page) }), writes: [] }
}

function positionsOf({ from, first, last }: EventPage): Pick<EventPage, 'from' | 'first' | 'last'> {
  return { from, first, last }
}

/** `after` and `limit`, each once at most, as decimals without leading zeros. Attacker-controlled. */
function parseQuery(query: string): { readonly after: number; readonly limit: number } {
  const values = new Map<string, number>()
  for (const part of query === '' ? [] : query.split('&')) {
    const [, name, digits] = /^(after|limit)=(0|[1-9][0-9]{0,15})$/.exec(part) ?? []
    if (name === undefined || values.has(name)) throw badQuery()
    values.set(name, Number(digits))
  }
  const after = position.safeParse(values.get('after') ?? 0)
  const limit = values.get('limit') ?? maxPage
  if (!after.success || limit < 1 || limit > maxPage) throw badQuery()
  return { after: after.data, limit }
}

function badQuery(): ProtocolError {
  return new ProtocolError('payload_invalid', `the query takes after=N and limit=1 to ${maxPage}`)
}

/** Only says where the socket is to begin: the socket sends the events once this answer is on its way. */
async function subscribe(
  { outbox, socket }: EventServices,
  message: RequestMessage,
  { user }: Caller,
): Promise<EventRouteResult> {
  const { after } = parseJsonContent(message, subscriptionBody)
  if (socket === undefined)
    throw new ProtocolError('payload_invalid', 'a subscription needs a socket: ask GET /events')
  const page = await outbox.read(user, after, 1)
  socket.subscribe(page.from)
  return { reply: shapedReply(subscriptionReply, 200, positionsOf(page)), writes: [] }
}
