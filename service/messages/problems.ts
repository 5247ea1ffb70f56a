/** From a refusal to what stands on the wire, by the one table of codes (protocol, section 7; RFC 9457). */
import type { ProtocolCode } from 'miniseal-protocol/errors'
import { ProtocolError } from 'miniseal-protocol/errors'
import { StoreUnavailable } from '../store/store.ts'
import type { ProblemDocument } from './problem-shape.ts'
import { problemRow } from './problem-table.ts'
import { Throttled } from './throttled.ts'

/** Fields of single codes (RFC 9470, section 3). */
const challenges: Partial<Record<ProtocolCode, string>> = {
  step_up_required: 'HTTPSig error="insufficient_user_authentication", acr_values="soter"',
}

/** A problem document and how it is answered. */
export interface Problem {
  readonly code: ProtocolCode
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** What a problem document says besides its code. */
export interface ProblemContext {
  readonly origin: string
  /** Names the stage that refused, for example `window`. */
  readonly step: string
  /** What is known of the request's Idempotency-Key (protocol, section 8); `undefined`: nothing. */
  readonly outcome?: 'none' | 'unknown' | undefined
  /** UNIX seconds: what a client with a wrong clock corrects it by. */
  readonly time: number
  /** A UUID, also in the service's log. */
  readonly requestId: string
}

/** Gives any thrown value its refusal; what is not of ours is `internal` and says nothing more. */
export function refusalOf(error: unknown): ProtocolError {
  if (error instanceof ProtocolError) return error
  if (error instanceof StoreUnavailable) {
    return new ProtocolError('unavailable', 'the service cannot take the request now', error)
  }
  return new ProtocolError('internal', 'the service failed', error)
}

/** A refusal where nothing can be sealed: any other code becomes `overloaded`, since the service could not do its part. */
export function clearProblem(error: unknown, context: ProblemContext): Problem {
  const refusal = refusalOf(error)
  if (problemRow(refusal.code).isClear) return problemOf(refusal, context)
  return problemOf(
    new ProtocolError('overloaded', 'the service cannot take the request now', refusal),
    context,
  )
}

/** Writes the problem document of a refusal (RFC 9457, with `code`, `step`, `time`, `retryable`). */
export function problemOf(refusal: ProtocolError, context: ProblemContext): Problem {
  const { title, retryable, retryAfter, ...row } = problemRow(refusal.code)
  const limited = refusal instanceof Throttled ? refusal : undefined
  const status = limited?.status ?? row.status
  const seconds = limited?.retryAfter ?? refusal.members.retry_after ?? retryAfter
  const document: ProblemDocument = {
    type: `${context.origin}/docs/problems/${refusal.code}`,
    title,
    status,
    detail: refusal.message,
    instance: `urn:uuid:${context.requestId}`,
    code: refusal.code,
    step: context.step,
    time: context.time,
    retryable,
    ...(context.outcome === undefined ? {} : { outcome: context.outcome }),
    ...refusal.members,
  }
  const body = JSON.stringify(document)
  const headers: (readonly [string, string])[] = [['content-type', 'application/problem+json']]
  if (seconds !== undefined) headers.push(['retry-after', String(seconds)])
  headers.push(...(limited?.fields ?? []))
  const challenge = challenges[refusal.code]
  if (challenge !== undefined) headers.push(['www-authenticate', challenge])
  return { code: refusal.code, status, headers, body }
}
