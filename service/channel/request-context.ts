/** The state that the stages of an exchange collect, and the entries of the transparency log that record it. */
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { SignatureEvidence } from 'miniseal-protocol/http-signatures/gateway-signature'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Sender } from '../limits/client-address.ts'
import type { Refusal } from '../problems/problem-error.ts'
import type { SessionRecord } from '../store/sessions.ts'
import { disclosuresOf, type LogEntryInput, type LoggedSubject } from '../tlog/entry.ts'
import type { ExchangeContext } from './context.ts'
import { mayHaveEffect } from './idempotency.ts'
import type { RoutePolicy } from './routes/route.ts'

/** Each stage adds what it has verified. The entry of a refusal contains what was verified before it. */
export interface RequestContext {
  /** A UUID, for log lines and problem documents. */
  readonly requestId: string
  readonly sender: Sender
  /** Milliseconds, by `performance.now()`. */
  readonly startedAt: number
  /** Returns the shares of concurrent work of the device, the user and the route. */
  release?: () => void
  request?: RequestMessage
  policy?: RoutePolicy
  signature?: SignatureEvidence
  subject?: LoggedSubject
  app?: string
  /** The fields of the rate limits that the request was counted for. */
  rateLimitFields?: readonly Field[]
}

export interface Answer {
  readonly reply: ResponseMessage
  /** Absent when the plaintext was not a request. */
  readonly request: RequestMessage | undefined
  readonly refusal?: Refusal | undefined
  /** The leaf hash of the exchange's log entry; absent where there is none. */
  readonly receipt?: Uint8Array | undefined
}

/** How an exchange ended. */
export interface Ending {
  readonly reply: ResponseMessage
  readonly refusal?: Refusal | undefined
  /** The request may have had an effect that cannot be determined. */
  readonly isUnknown?: boolean
  readonly isReplayed?: boolean
}

/** The subject of a session. Omits an erased user. */
export function subjectOf({
  user,
  device,
  id,
  app,
  endReason,
}: SessionRecord): Pick<RequestContext, 'subject' | 'app'> {
  return endReason === 'erased' ? { app } : { app, subject: { user, device, session: encodeBase64Url(id) } }
}

/** A verified signature as evidence. */
export function evidenceOf(
  { keyid, base, signature, created }: RequestSignature,
  publicKey: Uint8Array,
): SignatureEvidence {
  return { keyid, publicKey, base, signature, created }
}

/** The entry of a new device key, with the signature that proves it: later signatures are verified with it. */
export function deviceEntry(
  { appender }: ExchangeContext,
  { sender, signature, subject, app }: RequestContext,
): LogEntryInput {
  const { net, sig, sub } = disclosuresOf({ sender, signature, subject })
  return {
    kind: 'device-added',
    result: 'ok',
    at: appender.milliseconds(),
    retention: appender.retentionOf('device-added'),
    app,
    groups: { ...(net && { net }), ...(sig && { sig }), ...(sub && { sub }) },
  }
}

/** The intent of a request: the recovery job logs it if the request does not end. */
export function intentEntry(
  { appender }: ExchangeContext,
  { sender, request, signature, subject, app }: RequestContext,
): LogEntryInput {
  return {
    kind: 'outcome-unknown',
    result: 'unknown',
    at: appender.milliseconds(),
    retention: appender.retentionOf('outcome-unknown', 'writes'),
    app,
    groups: disclosuresOf({ sender, request, signature, subject }),
  }
}

/** The entry of a request. `refused`: before its claim. */
export function entryOf(
  { appender }: ExchangeContext,
  requestContext: RequestContext,
  kind: 'request' | 'refused' | 'login',
  { reply, refusal, isUnknown, isReplayed }: Ending,
): LogEntryInput {
  const { request, policy, app } = requestContext
  const weight = request !== undefined && mayHaveEffect(request) ? 'writes' : 'reads'
  return {
    kind,
    result: isUnknown === true ? 'unknown' : resultOf(reply.status, refusal?.code),
    at: appender.milliseconds(),
    retention: appender.retentionOf(kind, weight),
    code: refusal?.code,
    app,
    groups: disclosuresOf({
      ...requestContext,
      durationMs: performance.now() - requestContext.startedAt,
      status: reply.status,
      refusal: refusal === undefined ? undefined : { code: refusal.code, step: refusal.step },
      reply,
      isReplayed: isReplayed === true,
      isReplyGuessable: policy?.loggedDigest === 'omitted',
    }),
  }
}

function resultOf(status: number, refusal: string | undefined): LogEntryInput['result'] {
  // An overloaded service works as designed: it refuses.
  if (refusal === 'overloaded') return 'refused'
  if (status >= 500) return 'failed'
  return status >= 400 ? 'refused' : 'ok'
}
