/** What is known of an exchange so far, for its leaf; and the leaves that are made of it. */
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Sender } from '../limits/client-address.ts'
import type { Refusal } from '../problems/problem-error.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { LoggedSignature, LoggedSubject } from '../tlog/disclosures.ts'
import { disclosuresOf } from '../tlog/disclosures.ts'
import type { LogEntryInput } from '../tlog/entries.ts'
import type { ExchangeContext } from './context.ts'
import { mayHaveEffect } from './idempotency.ts'

/** Filled in by the stages, each with what it has proved; a refusal tells what was known by then. */
export interface RequestContext {
  /** A UUID, for log lines and problem documents. */
  readonly requestId: string
  readonly sender: Sender
  /** Milliseconds, by `performance.now()`. */
  readonly startedAt: number
  /** Gives back what the request has of its device's, user's and route's share of the work. */
  release?: () => void
  request?: RequestMessage
  signature?: LoggedSignature
  subject?: LoggedSubject
  app?: string
}

/** How an exchange ended. */
export interface Ending {
  readonly reply: ResponseMessage
  readonly refused?: Refusal | undefined
  /** It may have had an effect, and nobody knows. */
  readonly isUnknown?: boolean
  readonly isReplayed?: boolean
}

/** Answers so short and so like each other that their digest tells them to whoever guesses. */
const guessable: ReadonlySet<string> = new Set(['/phone-number', '/encrypted-data'])

/** Whom a session is proved to be by its frames. Who was erased since is nobody any more. */
export function subjectOf({
  user,
  device,
  id,
  app,
  endReason,
}: SessionRecord): Pick<RequestContext, 'subject' | 'app'> {
  return endReason === 'erased' ? { app } : { app, subject: { user, device, session: encodeBase64Url(id) } }
}

/** A signature that verifies, as evidence. */
export function signatureOf(
  { keyid, base, signature, created }: RequestSignature,
  publicKey: Uint8Array,
): LoggedSignature {
  return { keyid, publicKey, base, signature, created }
}

/** The leaf of a request that was claimed. */
export function requestLeaf(
  context: ExchangeContext,
  requestContext: RequestContext,
  ending: Ending,
): LogEntryInput {
  return leafOf(context, requestContext, ending, 'request')
}

/** The leaf of what was refused before anything was claimed. */
export function refusedLeaf(
  context: ExchangeContext,
  requestContext: RequestContext,
  ending: Ending,
): LogEntryInput {
  return leafOf(context, requestContext, ending, 'refused')
}

/** The leaf of a login. */
export function loginLeaf(
  context: ExchangeContext,
  requestContext: RequestContext,
  reply: ResponseMessage,
): LogEntryInput {
  return leafOf(context, requestContext, { reply }, 'login')
}

/** The leaf of a device key that was not known before: with the signature that proves it, for whoever checks later ones. */
export function deviceLeaf(
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

/** What will be told if nothing is heard of the request any more. */
export function draftLeaf(
  context: ExchangeContext,
  { sender, request, signature, subject, app }: RequestContext,
): LogEntryInput {
  const { appender } = context
  return {
    kind: 'outcome-unknown',
    result: 'unknown',
    at: appender.milliseconds(),
    retention: appender.retentionOf('outcome-unknown', 'writes'),
    app,
    groups: disclosuresOf({ sender, request, signature, subject }),
  }
}

function leafOf(
  { appender }: ExchangeContext,
  requestContext: RequestContext,
  { reply, refused, isUnknown, isReplayed }: Ending,
  kind: 'request' | 'refused' | 'login',
): LogEntryInput {
  const { request, app } = requestContext
  const weight = request !== undefined && mayHaveEffect(request) ? 'writes' : 'reads'
  const refusal = refused === undefined ? undefined : { code: refused.code, step: refused.step }
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
      refusal,
      reply,
      isReplayed: isReplayed === true,
      isReplyGuessable: guessable.has(request?.path ?? ''),
    }),
  }
}

function resultOf(status: number, refusal: string | undefined): LogEntryInput['result'] {
  // A service that takes no more is well, and refuses.
  if (refusal === 'overloaded') return 'refused'
  if (status >= 500) return 'failed'
  return status >= 400 ? 'refused' : 'ok'
}
