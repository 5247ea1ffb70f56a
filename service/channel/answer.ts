/** What goes back to the client, and the refusals among it. */
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { problemField } from 'miniseal-protocol/http-signatures/signed-response'
import { encodeBase64, encodeUtf8 } from 'miniseal-protocol/text'
import type { ProblemContext } from '../problems/document.ts'
import { writeProblem } from '../problems/document.ts'
import type { Refusal } from '../problems/problem-error.ts'
import type { ExchangeContext } from './context.ts'
import type { RequestContext } from './request-context.ts'

export interface Answer {
  readonly reply: ResponseMessage
  /** Absent when the plaintext was not a request at all. */
  readonly request: RequestMessage | undefined
  readonly refused?: Refusal | undefined
  /** The hash of the leaf that tells of this exchange; absent where there is none. */
  readonly receipt?: Uint8Array | undefined
}

/** A refusal as an answer like others, marked as the service's own. */
export function refusalAnswer(
  context: ExchangeContext,
  refused: Refusal,
  requestContext: RequestContext,
): Answer {
  const { status, headers, body } = writeProblem(refused, problemContext(context, requestContext))
  const fields: readonly Field[] = [...headers, [problemField, refused.code]]
  const reply = { status, fields, content: encodeUtf8(body) }
  return { reply, request: requestContext.request, refused }
}

export function problemContext(
  context: ExchangeContext,
  { requestId }: Pick<RequestContext, 'requestId'>,
): ProblemContext {
  return { origin: context.settings.origin, time: context.now(), requestId }
}

/** An answer with more fields. */
export function withFields(made: Answer, fields: readonly Field[]): Answer {
  return { ...made, reply: { ...made.reply, fields: [...made.reply.fields, ...fields] } }
}

/** The reply that is sealed: with the field that names its leaf, where there is one. A backend cannot set it. */
export function receiptedReply({ reply, receipt }: Answer): ResponseMessage {
  const fields = reply.fields.filter(([name]) => name !== 'miniseal-receipt')
  return {
    ...reply,
    fields: receipt === undefined ? fields : [...fields, ['miniseal-receipt', `:${encodeBase64(receipt)}:`]],
  }
}
