/** How a handler asks for a biometric confirmation (protocol, section 9; RFC 9470). */

import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { maxSummaryLength, summaryFault } from 'miniseal-protocol/summary'
import { ProblemError } from '../problems/problem-error.ts'

/**
 * The refusal by which a handler that has done nothing yet has its user confirm this request by fingerprint or face:
 *
 * ```ts
 * if (c.var.caller.acr !== 'soter') throw stepUpRequired('2,000.00 元，转账给 bob')
 * ```
 *
 * The channel adds a challenge. The client sends the same request again, and its caller then has the `acr` `soter`.
 *
 * @param summary what the user is shown beside the fingerprint sensor, amount first: 1 to 42 characters without control
 *   or format characters
 * @returns `step_up_required`; `payload_invalid` for any other summary, since it holds what the client sent
 */
export function stepUpRequired(summary: string): ProblemError {
  const fault = summaryFault(summary)
  if (fault !== undefined) return new ProblemError('payload_invalid', fault)
  const message = 'the request needs a biometric confirmation'
  return new ProblemError('step_up_required', message, { members: { summary } })
}

/** The summary of a request that has no better one: method and path, truncated. */
export function plainSummary({ method, path }: Pick<RequestMessage, 'method' | 'path'>): string {
  const line = `${method} ${path}`
  return line.length <= maxSummaryLength ? line : `${line.slice(0, maxSummaryLength - 1)}…`
}
