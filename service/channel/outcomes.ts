/** `GET` and `DELETE /outcomes/{key}`: what came of the user's request with a key, and the end of a key (protocol, section 8). */

import { ProtocolError, refuseFormat } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeBase64Url, decodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import type { Caller } from '../gateway/backend.ts'
import { shapedReply } from '../messages/json.ts'
import type { ExchangeContext } from './context.ts'
import type { KeyState } from './idempotency.ts'
import { cancellation, inProgress, keyState, outcomesPath } from './idempotency.ts'
import type { RouteResult } from './routes/sessions.ts'
import { writtenReply } from './stored-answers.ts'

const answer = z.strictObject({
  status: z.number().int().min(200).max(599),
  fields: z.array(z.tuple([z.string(), z.string()])),
  /** Standard base64. */
  content: z.string(),
})

const none = z.strictObject({ outcome: z.literal('none'), cancelled: z.boolean() })
const done = z.strictObject({ outcome: z.literal('done'), answer: answer.optional() })

export const outcomeReply = z.union([
  done,
  z.strictObject({ outcome: z.literal('none'), cancelled: z.literal(true) }),
  z.strictObject({ outcome: z.literal('none'), answer: answer.optional() }),
  z.strictObject({ outcome: z.enum(['running', 'unknown', 'unclaimed']) }),
])

export const cancelReply = z.union([done, none])

/**
 * Decides a request under `/outcomes/`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `not_found` for another method and for what is no key.
 * @throws Refusal `idempotency_in_progress` where a request with the key runs, or nobody knows what came of it, and it
 *   is to be cancelled.
 */
export async function handleOutcomeRoute(
  context: ExchangeContext,
  { method, path }: RequestMessage,
  caller: Caller,
): Promise<RouteResult | undefined> {
  if (!path.startsWith(outcomesPath)) return undefined
  const key = parseKey(path.slice(outcomesPath.length))
  if (key === undefined || (method !== 'GET' && method !== 'DELETE'))
    throw new ProtocolError('not_found', 'there is nothing at this path')
  const state = keyState(context, await context.store.findIdempotency(caller.user, key), context.now())
  return method === 'GET' ? reportOutcome(context, state, caller) : cancel(context, state, caller, key)
}

/** b64u of 1 to 255 visible ASCII characters and spaces: what an Idempotency-Key may be. Attacker-controlled. */
function parseKey(text: string): string | undefined {
  const bytes = refuseFormat('not_found', () => decodeBase64Url(text))
  if (bytes.length === 0 || bytes.length > 255 || bytes.some((byte) => byte < 0x20 || byte > 0x7e))
    return undefined
  return decodeUtf8(bytes)
}

function reportOutcome(context: ExchangeContext, state: KeyState, caller: Caller): RouteResult {
  return { reply: shapedReply(outcomeReply, 200, outcomeOf(context, state, caller)), writes: [] }
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

function cancel(context: ExchangeContext, state: KeyState, caller: Caller, key: string): RouteResult {
  const reply = (value: z.infer<typeof cancelReply>) => shapedReply(cancelReply, 200, value)
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

/** The stored answer: none of another session's, and none that would not fit into a frame once more, in base64. */
function answerOf(
  { settings }: ExchangeContext,
  { reply, session }: Extract<KeyState, { kind: 'answered' }>,
  caller: Caller,
): { readonly answer?: z.infer<typeof answer> } {
  const isOthers = session !== null && session !== caller.session
  return isOthers || reply.content.length > settings.maxFrame / 2 ? {} : { answer: writtenReply(reply) }
}
