/** Problem documents (RFC 9457) as `ChannelError`s. Signed ones are authentic; unsealed ones are hints. */

import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'
import { FormatError } from 'miniseal-protocol/errors'
import type { ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { problemField } from 'miniseal-protocol/http-signatures/signed-response'
import { decodeJsonObject, stringMember } from 'miniseal-protocol/json'
import type { Outcome } from './errors.ts'
import { ChannelError } from './errors.ts'
import { clearTexts, refusalTexts } from './problem-texts.ts'
import type { TransportAnswer } from './transports/transport.ts'

const problemType = /^application\/problem\+json(?:\s*;|$)/i

/**
 * The service's refusal in a verified answer; `undefined` for a success or an error of the backend. Only the service can
 * set the signed field that marks a refusal; the content of a backend's problem document has no effect.
 *
 * @param answeredAt signing time from the verified signature, UNIX seconds
 */
export function findRefusal(
  response: ResponseMessage,
  isUnsafe: boolean,
  answeredAt: number,
): ChannelError | undefined {
  const code = findField(response.fields, problemField)
  if (response.status < 400 || code === undefined) return undefined
  const problem = findProblem(findField(response.fields, 'content-type'), response.content)
  if (problem === undefined || stringMember(problem, 'code') !== code || !isRefusalCode(code)) {
    // A refusal of the service that is newer than this client; never an answer of the backend.
    const outcome = isUnsafe ? 'unknown' : 'none'
    return new ChannelError('unexpected_answer', 'unknown problem code', { outcome, status: response.status })
  }
  return new ChannelError(code, `refused by the service: ${code}`, {
    outcome: outcomeOf(problem, isUnsafe),
    status: response.status,
    retryable: typeof problem.retryable === 'boolean' ? problem.retryable : undefined,
    detail: stringMember(problem, 'detail'),
    time: answeredAt,
    retryAfter: delaySeconds(findField(response.fields, 'retry-after')),
    problem,
  })
}

/**
 * The error for an answer without a frame. Attacker-controlled: it never proves that a request did not run, and its
 * time and texts are ignored.
 */
export function clearAnswerError(answer: TransportAnswer): ChannelError {
  const problem = findProblem(answer.headers['content-type'], answer.body)
  const code = stringMember(problem, 'code')
  const details = { status: answer.status, retryAfter: delaySeconds(answer.headers['retry-after']) }
  if (code !== undefined && isClearCode(code)) {
    return new ChannelError(code, `unsealed answer: ${code}`, details)
  }
  return new ChannelError('unexpected_answer', 'unsealed answer', details)
}

function findProblem(
  contentType: string | undefined,
  content: Uint8Array,
): Record<string, unknown> | undefined {
  if (contentType === undefined || !problemType.test(contentType)) return undefined
  try {
    return decodeJsonObject(content)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/**
 * `none` in the problem document means that the refusal settles the Idempotency-Key. After any other refusal, another copy of
 * the request may still run.
 */
function outcomeOf(problem: Record<string, unknown>, isUnsafe: boolean): Outcome {
  if (!isUnsafe) return 'none'
  return problem.outcome === 'none' ? 'refused' : 'unknown'
}

function isRefusalCode(code: string): code is RefusalCode {
  return Object.keys(refusalTexts).includes(code)
}

function isClearCode(code: string): code is ClearCode {
  return Object.keys(clearTexts).includes(code)
}

function delaySeconds(value: string | undefined): number | undefined {
  return value !== undefined && /^[0-9]{1,6}$/.test(value) ? Number(value) : undefined
}
