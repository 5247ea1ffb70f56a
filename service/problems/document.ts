/** Problem documents (RFC 9457): the answers to refused requests (protocol, section 7). */
import type { Context } from 'hono'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { ProtocolCode } from 'miniseal-protocol/errors'
import { z } from 'zod'
import { problemCodes, problemRow } from './catalogue.ts'
import { ProblemError, type Refusal } from './problem-error.ts'

/** The shape of the document, also for the OpenAPI document. */
export const problemDocument = z.looseObject({
  /** The page of the code. */
  type: z.url(),
  title: z.string(),
  status: z.number().int().min(400).max(599),
  detail: z.string(),
  /** `urn:uuid:` and the `requestId` of the log line. */
  instance: z.string().regex(/^urn:uuid:[0-9a-f-]{36}$/),
  code: z.enum(problemCodes),
  /** The check that refused. */
  step: z.string(),
  /** UNIX seconds, by the service's clock. */
  time: z.number().int(),
  retryable: z.boolean(),
  /** The outcome of the request's Idempotency-Key; see `ProblemDetails.outcome`. */
  outcome: z.enum(['none', 'unknown']).optional(),
  /** With `unavailable`: the disk is nearly full. */
  reason: z.literal('storage_full').optional(),
  /** With `step_up_required`. */
  challenge: z.string().optional(),
  summary: z.string().optional(),
  /** With `signature_invalid`, in development only. */
  base_sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  base_lengths: z.string().optional(),
})

type ProblemDocument = z.infer<typeof problemDocument>

/** A problem document with the status and the fields of its answer. */
export interface Problem {
  readonly code: ProtocolCode
  readonly status: number
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string
}

/** The members of every problem document that do not depend on its code. */
export interface ProblemContext {
  readonly origin: string
  /** UNIX seconds: a client corrects its clock by the answer's signature, not by this. */
  readonly time: number
  /** A UUID, also in the service's log. */
  readonly requestId: string
}

/** RFC 9470, section 3. */
const stepUpChallenge = 'HTTPSig error="insufficient_user_authentication", acr_values="soter"'

/** A refusal that cannot be sealed. Codes that must not be sent in the clear become `overloaded`. */
export function clearProblem(refusal: Refusal, context: ProblemContext): Problem {
  if (problemRow(refusal.code).isClear) return writeProblem(refusal, context)
  const { step } = refusal
  const message = 'the service cannot take the request now'
  return writeProblem(new ProblemError('overloaded', message).with({ step }), context)
}

/** Writes the problem document of a refusal, with `code`, `step`, `time` and `retryable`. */
export function writeProblem(refusal: Refusal, context: ProblemContext): Problem {
  const { code, message, step, outcome, details } = refusal
  const row = problemRow(code)
  const status = details.status ?? row.status
  const document: ProblemDocument = {
    type: `${context.origin}/docs/problems/${code}`,
    title: row.texts.en.title,
    status,
    detail: message,
    instance: `urn:uuid:${context.requestId}`,
    code,
    step,
    time: context.time,
    retryable: row.isRetryable,
    ...(outcome === undefined ? {} : { outcome }),
    ...refusal.members,
  }
  const retryAfter = details.retryAfter ?? row.retryAfter
  const headers: (readonly [string, string])[] = [['content-type', 'application/problem+json']]
  if (retryAfter !== undefined) headers.push(['retry-after', String(retryAfter)])
  headers.push(...(details.fields ?? []))
  if (code === 'step_up_required') headers.push(['www-authenticate', stepUpChallenge])
  return { code, status, headers, body: JSON.stringify(document) }
}

/** A problem outside the channel, which has no code. */
export function uncodedProblem(
  c: Context,
  status: ContentfulStatusCode,
  title: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return c.json({ title, status }, status, { 'content-type': 'application/problem+json', ...headers })
}
