/** `/events`: lists the user's events, or sends them over the socket (protocol, section 4, "Over a socket"). */
import { decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { parseEvent, storedEvent } from '../../events/event.ts'
import type { EventPage } from '../../events/outbox.ts'
import { jsonReply } from '../../messages/content.ts'
import { ProblemError } from '../../problems/problem-error.ts'
import { defineRoute } from './route.ts'

const maxPage = 100
/** Bytes of the events of one page: well within a frame. */
const maxPageBytes = 524_288

const position = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

const subscriptionBody = z.strictObject({ after: position })

/** The range of the stored events. */
const range = { from: position, first: position, last: position }
const subscriptionReply = z.strictObject(range)
const eventsReply = z.strictObject({
  events: z.array(z.looseObject({ sequence: position, ...storedEvent.shape })),
  ...range,
})

function rangeOf({ from, first, last }: EventPage): z.infer<typeof subscriptionReply> {
  return { from, first, last }
}

export const eventRoutes = [
  defineRoute({
    id: 'listEvents',
    method: 'GET',
    path: '/events',
    tag: 'events',
    summary: 'List the events of the user, in order and without gaps',
    query: {
      after: {
        description: 'The last sequence number that the client has.',
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        default: 0,
      },
      limit: { description: 'Events of one page.', minimum: 1, maximum: maxPage, default: maxPage },
    },
    replies: { 200: eventsReply },
    async handler({ outbox }, { caller, query: { after, limit } }) {
      const page = await outbox.read(caller.user, after, limit)
      const events: z.infer<typeof eventsReply>['events'] = []
      let bytes = 0
      for (const { sequence, event } of page.events) {
        bytes += event.length
        if (bytes > maxPageBytes && events.length > 0) break
        events.push({ sequence, ...parseEvent(decodeUtf8(event)) })
      }
      return { reply: jsonReply(eventsReply, 200, { events, ...rangeOf(page) }), writes: [] }
    },
  }),
  defineRoute({
    id: 'subscribe',
    method: 'POST',
    path: '/events/subscription',
    tag: 'events',
    summary: 'Subscribe this socket to the events of the user, from a sequence number on',
    description: 'Over a socket only: the events follow in frames 0x05.',
    body: subscriptionBody,
    replies: { 200: subscriptionReply },
    idempotency: 'none',
    stepUp: 'none',
    /** Only sets the position: the socket sends the events after this answer. */
    async handler({ outbox, socket }, { caller, body: { after } }) {
      if (socket === undefined)
        throw new ProblemError('payload_invalid', 'a subscription needs a socket: use GET /events')
      const page = await outbox.read(caller.user, after, 1)
      socket.subscribe(page.from)
      return { reply: jsonReply(subscriptionReply, 200, rangeOf(page)), writes: [] }
    },
  }),
]
