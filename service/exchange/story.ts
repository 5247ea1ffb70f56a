/** What is known of an exchange so far, for its leaf; and the leaves that are made of it. */
import type { RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import type { RequestSignature } from '../../crypto/signed-request.ts'
import { encodeBase64Url } from '../../crypto/text.ts'
import type { Sender } from '../limits/source.ts'
import type { Told } from '../log/entries.ts'
import type { LoggedSignature, LoggedSubject } from '../log/groups.ts'
import { groupsOf } from '../log/groups.ts'
import type { SessionRecord } from '../store/store.ts'
import type { ExchangeContext } from './context.ts'
import { mayHaveEffect } from './idempotency.ts'
import type { Refused } from './refused.ts'

/** Filled in by the stages, each with what it has proved; a refusal tells what was known by then. */
export interface Story {
  /** A UUID, for log lines and problem documents. */
  readonly requestId: string
  readonly sender: Sender
  /** Milliseconds, by `performance.now()`. */
  readonly startedAt: number
  /** Gives back what the request has of its device's, user's and route's share of the work. */
  leave?: () => void
  request?: RequestMessage
  signature?: LoggedSignature
  subject?: LoggedSubject
  app?: string
}

/** How an exchange ended. */
export interface Ending {
  readonly reply: ResponseMessage
  readonly refused?: Refused | undefined
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
}: SessionRecord): Pick<Story, 'subject' | 'app'> {
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
export function requestLeaf(context: ExchangeContext, story: Story, ending: Ending): Told {
  return leafOf(context, story, ending, 'request')
}

/** The leaf of what was refused before anything was claimed. */
export function refusedLeaf(context: ExchangeContext, story: Story, ending: Ending): Told {
  return leafOf(context, story, ending, 'refused')
}

/** The leaf of a login. */
export function loginLeaf(context: ExchangeContext, story: Story, reply: ResponseMessage): Told {
  return leafOf(context, story, { reply }, 'login')
}

/** The leaf of a device key that was not known before: with the signature that proves it, for whoever checks later ones. */
export function deviceLeaf({ journal }: ExchangeContext, { sender, signature, subject, app }: Story): Told {
  const { net, sig, sub } = groupsOf({ sender, signature, subject })
  return {
    kind: 'device-added',
    result: 'ok',
    at: journal.milliseconds(),
    retention: journal.retentionOf('device-added'),
    app,
    groups: { ...(net && { net }), ...(sig && { sig }), ...(sub && { sub }) },
  }
}

/** What will be told if nothing is heard of the request any more. */
export function draftLeaf(
  context: ExchangeContext,
  { sender, request, signature, subject, app }: Story,
): Told {
  const { journal } = context
  return {
    kind: 'outcome-unknown',
    result: 'unknown',
    at: journal.milliseconds(),
    retention: journal.retentionOf('outcome-unknown', 'writes'),
    app,
    groups: groupsOf({ sender, request, signature, subject }),
  }
}

function leafOf(
  { journal }: ExchangeContext,
  story: Story,
  { reply, refused, isUnknown, isReplayed }: Ending,
  kind: 'request' | 'refused' | 'login',
): Told {
  const { request, app } = story
  const weight = request !== undefined && mayHaveEffect(request) ? 'writes' : 'reads'
  const refusal = refused === undefined ? undefined : { code: refused.refusal.code, step: refused.step }
  return {
    kind,
    result: isUnknown === true ? 'unknown' : resultOf(reply.status, refusal?.code),
    at: journal.milliseconds(),
    retention: journal.retentionOf(kind, weight),
    code: refusal?.code,
    app,
    groups: groupsOf({
      ...story,
      durationMs: performance.now() - story.startedAt,
      status: reply.status,
      refusal,
      reply,
      isReplayed: isReplayed === true,
      isReplyGuessable: guessable.has(request?.path ?? ''),
    }),
  }
}

function resultOf(status: number, refusal: string | undefined): Told['result'] {
  // A service that takes no more is well, and refuses.
  if (refusal === 'overloaded') return 'refused'
  if (status >= 500) return 'failed'
  return status >= 400 ? 'refused' : 'ok'
}
