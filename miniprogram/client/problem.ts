/** Problem documents (RFC 9457) as typed errors: signed ones are believed, clear ones are hints. */

import type { ClearCode, RefusalCode } from 'miniseal-protocol/errors'
import { FormatError } from 'miniseal-protocol/errors'
import type { ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { problemField } from 'miniseal-protocol/http-signatures/signed-response'
import type { Outcome } from './errors.ts'
import { ChannelError } from './errors.ts'
import { parseJsonObject, stringMember } from './json.ts'
import { clearTexts, refusalTexts } from './problem-texts.ts'
import type { TransportAnswer } from './transports/transport.ts'

const problemType = /^application\/problem\+json(?:\s*;|$)/i

/**
 * The refusal in a verified answer; `undefined` when it is not the service's: a success, or an error of the backend,
 * which the caller reads. Only the service can set the signed field that is looked at; the document of a backend may
 * say the same words, and nothing is done about it.
 *
 * @param answeredAt when the service made the answer, UNIX seconds, from its verified signature: the only time that is
 *   believed
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
    // The service's own, and perhaps newer than this client: never an answer of the backend.
    const outcome = isUnsafe ? 'unknown' : 'none'
    return new ChannelError('unexpected_answer', 'an unknown refusal', { outcome, status: response.status })
  }
  return new ChannelError(code, `the service refused: ${code}`, {
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
 * What an answer without a frame suggests. Attacker-controlled: anyone on the way can send it, so it never says
 * that a request did not run, and neither its time nor its words are passed on.
 */
export function clearAnswerError(answer: TransportAnswer): ChannelError {
  const problem = findProblem(answer.headers['content-type'], answer.body)
  const code = stringMember(problem, 'code')
  const details = { status: answer.status, retryAfter: delaySeconds(answer.headers['retry-after']) }
  if (code !== undefined && isClearCode(code)) {
    return new ChannelError(code, `answered in the clear: ${code}`, details)
  }
  return new ChannelError('unexpected_answer', 'the answer is not from the service', details)
}

function findProblem(
  contentType: string | undefined,
  content: Uint8Array,
): Record<string, unknown> | undefined {
  if (contentType === undefined || !problemType.test(contentType)) return undefined
  try {
    return parseJsonObject(content)
  } catch (error) {
    if (error instanceof FormatError) return undefined
    throw error
  }
}

/**
 * Only a refusal that was decided under the claim of the Idempotency-Key says `none`. Every other one, whatever its code,
 * says nothing of another copy of the request.
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
