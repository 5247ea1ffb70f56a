/** `/outcomes/{key}`: gets the outcome of the user's request with a key, or cancels the key (protocol, section 8). */
import { refuseFormat } from 'miniseal-protocol/errors'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { decodeBase64Url, decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { jsonReply } from '../../messages/content.ts'
import type { ExchangeContext } from '../context.ts'
import { cancellation, encodeReply, inProgress, type KeyState, keyState } from '../idempotency.ts'
import { defineRoute, notFound, type RouteResult } from './route.ts'

const answer = z.strictObject({
  status: z.number().int().min(200).max(599),
  fields: z.array(z.tuple([z.string(), z.string()])),
  /** Standard base64. */
  content: z.string(),
})

const done = z.strictObject({ outcome: z.literal('done'), answer: answer.optional() })
const cancelReply = z.union([done, z.strictObject({ outcome: z.literal('none'), cancelled: z.boolean() })])
const outcomeReply = z.union([
  done,
  z.strictObject({ outcome: z.literal('none'), cancelled: z.literal(true) }),
  z.strictObject({ outcome: z.literal('none'), answer: answer.optional() }),
  z.strictObject({ outcome: z.enum(['running', 'unknown', 'unclaimed']) }),
])

/** b64u of 1 to 255 visible ASCII characters and spaces. Attacker-controlled. @throws ProblemError `not_found` */
function parseKey(text: string): string {
  const bytes = refuseFormat('not_found', () => decodeBase64Url(text))
  if (bytes.length === 0 || bytes.length > 255 || bytes.some((byte) => byte < 0x20 || byte > 0x7e))
    throw notFound()
  return decodeUtf8(bytes)
}

async function readState(context: ExchangeContext, user: string, key: string): Promise<KeyState> {
  return keyState(context, await context.store.findIdempotency(user, key), context.now())
}

function outcomeOf(context: ExchangeContext, state: KeyState, caller: Caller): z.infer<typeof outcomeReply> {
  switch (state.kind) {
    case 'unclaimed':
    case 'running':
    case 'unknown':
      return { outcome: state.kind }
    case 'cancelled':
      return { outcome: 'none', cancelled: true }
    case 'answered':
      return state.outcome === 'done'
        ? { outcome: 'done', ...answerOf(context, state, caller) }
        : { outcome: 'none', ...answerOf(context, state, caller) }
  }
}

/** @throws ProblemError `idempotency_in_progress` while a request runs, or when its outcome is unknown. */
function cancel(context: ExchangeContext, state: KeyState, caller: Caller, key: string): RouteResult {
  const reply = (value: z.infer<typeof cancelReply>) => jsonReply(cancelReply, 200, value)
  switch (state.kind) {
    case 'unclaimed':
      return {
        reply: reply({ outcome: 'none', cancelled: true }),
        writes: cancellation(context, caller.user, key),
      }
    case 'cancelled':
      return { reply: reply({ outcome: 'none', cancelled: true }), writes: [] }
    case 'running':
      throw inProgress()
    case 'unknown':
      throw inProgress('unknown')
    case 'answered':
      if (state.outcome === 'none') return { reply: reply({ outcome: 'none', cancelled: false }), writes: [] }
      return { reply: reply({ outcome: 'done', ...answerOf(context, state, caller) }), writes: [] }
  }
}

/** The stored answer, unless it belongs to another session or would not fit into a frame in base64. */
function answerOf(
  { settings }: ExchangeContext,
  { reply, session }: Extract<KeyState, { kind: 'answered' }>,
  caller: Caller,
): { readonly answer?: z.infer<typeof answer> } {
  const isOfAnotherSession = session !== null && session !== caller.session
  const isTooLarge = reply.content.length > settings.maxFrame / 2
  return isOfAnotherSession || isTooLarge ? {} : { answer: encodeReply(reply) }
}

const parameter = 'The Idempotency-Key, without its quotes: its ASCII bytes in base64url without padding.'

export const outcomeRoutes = [
  defineRoute({
    id: 'readOutcome',
    method: 'GET',
    path: '/outcomes/{key}',
    tag: 'outcomes',
    summary: 'Get the outcome of the user’s request with an Idempotency-Key',
    description:
      'Counts for a separate limit. An answer that belongs to another session, or is larger than half a frame, is omitted.',
    parameter,
    replies: { 200: outcomeReply },
    budget: 'outcomes',
    async handler(context, request) {
      const state = await readState(context, request.caller.user, parseKey(request.parameter))
      const body = outcomeOf(context, state, request.caller)
      return { reply: jsonReply(outcomeReply, 200, body), writes: [] }
    },
  }),
  defineRoute({
    id: 'cancelRequest',
    method: 'DELETE',
    path: '/outcomes/{key}',
    tag: 'outcomes',
    summary: 'Cancel an Idempotency-Key, or learn that a request with it ran',
    description:
      'Durable before it is answered: a later request with the key is refused as `request_cancelled`. While a request runs, or when its outcome is unknown: `idempotency_in_progress`. Counts for a separate limit, and never needs a step-up.',
    parameter,
    replies: { 200: cancelReply },
    idempotency: 'none',
    stepUp: 'none',
    budget: 'outcomes',
    async handler(context, { caller, parameter: text }) {
      const key = parseKey(text)
      return cancel(context, await readState(context, caller.user, key), caller, key)
    },
  }),
]
