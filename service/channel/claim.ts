/** Claim: turns an authorized request into a command. Applies the limits, then commits the claims before any effect. */
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { isOwnRoute } from 'miniseal-protocol/http-signatures/own-routes'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { encodeBase64Url } from 'miniseal-protocol/text'
import type { Work } from '../limits/concurrency.ts'
import { atStep, atStepAsync, ProblemError } from '../problems/problem-error.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { CommitResult, Write, WriteOf } from '../store/store.ts'
import type { IntentResult } from '../tlog/commit-entries.ts'
import type { ExchangeContext } from './context.ts'
import { idempotencyClaim, mayHaveEffect } from './idempotency.ts'
import { intentEntry, type RequestContext } from './request-context.ts'
import type { Routing } from './routes/route.ts'
import { type AuthorizedRequest, keyRevoked } from './verify.ts'

const claimed: unique symbol = Symbol('claimed')

/** A request to execute: verified, authorized, its nonce claimed, its session active. Created by {@link claimRequest}. */
export interface Command extends Routing {
  readonly [claimed]: true
  readonly message: RequestMessage
  readonly caller: Caller
  /** `undefined` for safe requests and for a malformed key. `isNew`: this request claimed the key. */
  readonly idempotency: { readonly claim: WriteOf<'claim-idempotency'>; readonly isNew: boolean } | undefined
  /** The id of the intent of an unsafe request. The final log entry of the request replaces the intent. */
  readonly intent: Uint8Array | undefined
  /** The authentication that the session requires of every unsafe request. */
  readonly requiredAcr: 'soter' | null
}

/**
 * In one durable transaction, claims the nonce, checks that the session is active and, for an unsafe request, claims the
 * Idempotency-Key and records the intent. The request has no effect before this returns.
 *
 * Copies of a request do not count for the limits of their user or device.
 *
 * @throws Refusal `rate_limited` at step `limits`; `replayed` or `session_ended`; `unavailable` when the store or the
 *   audit log fails, or the disk is nearly full.
 */
export async function claimRequest(
  context: ExchangeContext,
  request: AuthorizedRequest,
  requestContext: RequestContext,
): Promise<Command> {
  const { opened, signature, evidence, message, subject, route, policy } = request
  const endClaim = await atStepAsync('claim', () => beginClaim(context, signature))
  try {
    await applyLimits(context, request, requestContext)
    const claim = idempotencyClaim(context, request)
    const { isNew, intent } = await atStepAsync('claim', async () => {
      if (mayHaveEffect(message)) context.log.assertAcceptingEntries()
      return await commitClaims(context, request, claim, requestContext)
    })
    const caller: Caller = {
      user: subject.user,
      device: signature.keyid,
      session: subject.sid,
      appid: opened.session.app,
      acr: 'session',
      signature: evidence,
    }
    const idempotency = claim === undefined ? undefined : { claim, isNew }
    const { requiredAcr } = opened.session
    return { [claimed]: true, message, route, policy, caller, idempotency, intent, requiredAcr }
  } finally {
    endClaim()
  }
}

/**
 * Refuses a copy of a request before it counts for any limit. The durable claim of the nonce decides.
 *
 * @returns call it once the claim is committed or refused
 * @throws ProblemError `replayed` for a nonce that is stored, or being claimed in this process; StoreUnavailable
 */
async function beginClaim(
  { store, claimingNonces }: ExchangeContext,
  { keyid, nonce }: RequestSignature,
): Promise<() => void> {
  const name = `${keyid} ${encodeBase64Url(nonce)}`
  if (claimingNonces.has(name)) throw replayed()
  claimingNonces.add(name)
  const end = (): void => void claimingNonces.delete(name)
  try {
    if (await store.hasNonce(keyid, nonce)) throw replayed()
    return end
  } catch (error) {
    end()
    throw error
  }
}

export function replayed(): ProblemError {
  return new ProblemError('replayed', 'the request was received before')
}

/** Whether the service stores data for the request, so that the quota and the disk reserve apply. */
export function usesStorage({ message, policy }: Pick<Command, 'message' | 'policy'>): boolean {
  return mayHaveEffect(message) && policy.budget !== 'outcomes'
}

/** Counts the request, and stores the rate limit fields and the release of its share in `requestContext`. */
async function applyLimits(
  context: ExchangeContext,
  request: AuthorizedRequest,
  requestContext: RequestContext,
): Promise<void> {
  const { limits, disk } = context
  const { subject, policy } = request
  requestContext.rateLimitFields = await atStepAsync('limits', () =>
    policy.budget === 'outcomes' ? limits.countOutcomeQuery(subject) : limits.countRequest(subject),
  )
  if (usesStorage(request))
    await atStepAsync('limits', async () => {
      disk.assertSpace()
      await limits.storage.assertWithin(subject)
    })
  requestContext.release = atStep('limits', () => limits.acquireShare(workOf(context, request)))
}

/** Requests about outcomes have separate shares, so that they are served while other requests hang. */
function workOf({ backend }: ExchangeContext, { message, subject, policy }: AuthorizedRequest): Work {
  const { user, device } = subject
  const bytes = message.content.length
  if (policy.budget === 'outcomes')
    return { user: `outcomes ${user}`, device: `outcomes ${device}`, route: '/outcomes', bytes }
  const first = /^\/[^/?]*/.exec(message.path)?.[0] ?? ''
  const route = isOwnRoute(message.path) ? first : (backend.routeOf?.(message) ?? first)
  return { user, device, route, bytes }
}

/**
 * The claim of a nonce: until its signature is outside the window, and for at least 240 s.
 *
 * @param scope by default the key, so that a signed request cannot move to another session
 */
export function nonceClaim(
  { now, settings }: ExchangeContext,
  signature: RequestSignature,
  scope = signature.keyid,
): WriteOf<'claim-nonce'> {
  const expiresAt = Math.max(signature.created + settings.window.past, now() + 240) + 1
  return { kind: 'claim-nonce', scope, nonce: signature.nonce, expiresAt }
}

interface Claims {
  /** False when the Idempotency-Key was claimed before. The nonce is claimed in either case. */
  readonly isNew: boolean
  readonly intent: Uint8Array | undefined
}

async function commitClaims(
  context: ExchangeContext,
  { opened, signature, message }: AuthorizedRequest,
  claim: WriteOf<'claim-idempotency'> | undefined,
  requestContext: RequestContext,
): Promise<Claims> {
  const needed: readonly Write[] = [
    nonceClaim(context, signature),
    { kind: 'touch-session', id: opened.session.id, now: context.now() },
  ]
  const mayLogSubject = await canLogSubject(context, opened.session)
  const commit = async (writes: readonly Write[]): Promise<CommitResult | IntentResult> => {
    if (mayLogSubject && mayHaveEffect(message))
      return await context.appender.commitIntent(writes, intentEntry(context, requestContext))
    if (mayLogSubject) await context.appender.ensureSubjectKey(opened.session.user)
    return await context.store.commit(writes)
  }
  // A used Idempotency-Key refuses the whole transaction: the second one claims the nonce without it.
  let result = await commit(claim === undefined ? needed : [...needed, claim])
  const isNew = result.kind === 'committed'
  if (result.kind === 'refused' && result.write === claim) result = await commit(needed)
  if (result.kind === 'committed') return { isNew, intent: 'intent' in result ? result.intent : undefined }
  if (result.write.kind === 'claim-nonce') throw replayed()
  throw await sessionRefusal(context, opened.session.id)
}

/**
 * Whether a subject key may be created. For an ended session, which is refused later, none is created: its user may
 * have been erased. The cached session is sufficient evidence only if the key exists already.
 */
async function canLogSubject(
  { appender, sessions }: ExchangeContext,
  session: SessionRecord,
): Promise<boolean> {
  if (session.endedAt !== null) return false
  if (await appender.hasSubjectKey(session.user)) return true
  const found = await sessions.reload(session.id)
  return found !== undefined && found.record.endedAt === null
}

/** The refusal of a session that was active when it was read. */
async function sessionRefusal({ sessions }: ExchangeContext, id: Uint8Array): Promise<Error> {
  const found = await sessions.reload(id)
  const isRevoked = found !== undefined && found.record.deviceRevokedAt !== null
  return isRevoked
    ? keyRevoked().with({ step: 'key' })
    : new ProblemError('session_ended', 'the session has ended')
}
