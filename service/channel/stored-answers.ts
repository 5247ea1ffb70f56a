/** What an Idempotency-Key was settled with, as it is stored: wrapped, and bound to its user and key. */

import type { ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import { z } from 'zod'
import { secretContext } from '../keys/wrapping.ts'
import type { ExchangeContext } from './context.ts'

/** The answer to the request that had the key. */
export interface StoredAnswer {
  /** `done`: the request ran; `none`: a refusal, and the request never had nor will have an effect. */
  readonly outcome: 'done' | 'none'
  readonly reply: ResponseMessage
  /** b64u of the one session that the answer is for; `null`: the user may read it in all of theirs. */
  readonly session: string | null
}

/** `cancelled`: no request had the key, and none ever will. */
export type Stored = StoredAnswer | { readonly outcome: 'cancelled' }

const shape = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('cancelled') }),
  z.object({
    outcome: z.enum(['done', 'none']),
    status: z.number(),
    fields: z.array(z.tuple([z.string(), z.string()])),
    content: z.string(),
    session: z.string().nullable(),
  }),
])

/** Whose key it is. */
interface StoredAnswerId {
  readonly user: string
  readonly key: string
}

export function wrapStored({ wrapper }: ExchangeContext, id: StoredAnswerId, stored: Stored): Uint8Array {
  const value =
    stored.outcome === 'cancelled'
      ? stored
      : { outcome: stored.outcome, session: stored.session, ...writtenReply(stored.reply) }
  return wrapper.wrap(encodeUtf8(JSON.stringify(value)), contextOf(id))
}

/** @throws Error when it was wrapped with another key, or for another place. */
export function unwrapStored({ wrapper }: ExchangeContext, id: StoredAnswerId, wrapped: Uint8Array): Stored {
  const stored = shape.parse(JSON.parse(decodeUtf8(wrapper.unwrap(wrapped, contextOf(id)))))
  if (stored.outcome === 'cancelled') return stored
  const { outcome, status, fields, content, session } = stored
  return { outcome, session, reply: { status, fields, content: decodeBase64(content) } }
}

/** A reply in JSON. */
export function writtenReply({ status, fields, content }: ResponseMessage) {
  return {
    status,
    fields: fields.map(([name, value]): [string, string] => [name, value]),
    content: encodeBase64(content),
  }
}

function contextOf({ user, key }: StoredAnswerId) {
  return secretContext('idempotency_keys.response_wrapped', [user, key])
}
