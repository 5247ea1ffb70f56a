/** Seal: from an answer to a signed and sealed frame. */
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { encodeResponse } from 'miniseal-protocol/frames/binary-http'
import { sealHandshakeResponse } from 'miniseal-protocol/frames/handshake'
import { padMessage } from 'miniseal-protocol/frames/padding'
import { sealResponse } from 'miniseal-protocol/frames/session-keys'
import { signResponse } from 'miniseal-protocol/http-signatures/signed-response'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { encodeBase64 } from 'miniseal-protocol/text'
import { ProblemError, refusalAt } from '../problems/problem-error.ts'
import type { ExchangeContext } from './context.ts'
import { refusalAnswer } from './finalize.ts'
import type { OpenedFrame } from './open.ts'
import type { Answer, RequestContext } from './request-context.ts'

/** Maximum bytes that a frame adds to its plaintext: head, request nonce, nonce, tag. */
const frameOverhead = 2 + suite1.keyLength + suite1.boxNonceLength + suite1.boxTagLength

interface SealedAnswer {
  readonly frame: Uint8Array
  readonly sealed: Answer
}

/** Seals an answer; one that cannot be sealed, for example because it is over the frame limit, becomes a refusal. */
export function sealAnswer(
  context: ExchangeContext,
  opened: OpenedFrame,
  answer: Answer,
  requestContext: RequestContext,
): SealedAnswer {
  const seal = (sealed: Answer): SealedAnswer => ({
    frame: sealReply(context, opened, withReceipt(sealed), sealed.request),
    sealed,
  })
  try {
    return seal(answer)
  } catch (error) {
    const refusal = refusalAt('handler', error)
    // The request ran, and its stored answer does not fit a frame.
    const hasRun = requestContext.policy?.idempotency === 'required' && answer.refusal === undefined
    const answered = hasRun ? refusal.with({ outcome: 'unknown' }) : refusal
    return seal({ ...refusalAnswer(context, answered, requestContext), receipt: answer.receipt })
  }
}

/** The reply with the field that identifies its log entry. A backend cannot set it. */
function withReceipt({ reply, receipt }: Answer): ResponseMessage {
  const fields = reply.fields.filter(([name]) => name !== 'miniseal-receipt')
  return {
    ...reply,
    fields: receipt === undefined ? fields : [...fields, ['miniseal-receipt', `:${encodeBase64(receipt)}:`]],
  }
}

/** Signs the reply for its request and seals it. @throws ProblemError `upstream_unavailable` over the frame limit. */
function sealReply(
  context: ExchangeContext,
  opened: OpenedFrame,
  reply: ResponseMessage,
  request: RequestMessage | undefined,
): Uint8Array {
  const { primitives } = context
  const now = context.now()
  const { kid, secretKey } = context.keyring.current('signing', now)
  const signed = signResponse(primitives, reply, request, { keyid: kid, secretKey }, now)
  const plaintext = padMessage(encodeResponse(signed))
  if (plaintext.length + frameOverhead > context.settings.maxFrame)
    throw new ProblemError('upstream_unavailable', 'the answer is over the frame limit')
  const nonce = context.random(suite1.boxNonceLength)
  switch (opened.kind) {
    case 'handshake':
      return sealHandshakeResponse(primitives, opened.responseKey, opened.serviceEphemeral, nonce, plaintext)
    case 'request':
      return sealResponse(primitives, opened.keys, opened.nonce, nonce, plaintext)
  }
}
