/** How a handler asks for a biometric confirmation (protocol, section 9; RFC 9470). */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { maxSummaryLength, summaryFault } from 'miniseal-protocol/summary'

/**
 * Thrown by a handler that has done nothing yet and wants this request confirmed by its user's finger or face:
 *
 * ```ts
 * if (c.var.caller.acr !== 'soter') throw new StepUpNeeded('2,000.00 元，转账给 bob')
 * ```
 *
 * The exchange turns it into `step_up_required`. The same request, confirmed, comes again with `acr` `soter`.
 */
export class StepUpNeeded extends Error {
  /** What the user is shown beside the fingerprint sensor: how much first, then whom. */
  readonly summary: string

  /**
   * @param summary 1 to 42 characters, none of which is a control or format character: what a person cannot see as it is,
   *   they cannot confirm
   * @throws ProtocolError `payload_invalid` for any other: a summary holds what the client sent.
   */
  constructor(summary: string) {
    super('the request needs a biometric confirmation')
    const fault = summaryFault(summary)
    if (fault !== undefined) throw new ProtocolError('payload_invalid', fault)
    this.name = 'StepUpNeeded'
    this.summary = summary
  }
}

/** What the user is shown where nobody has said it better: method and path, as much of them as fits. */
export function plainSummary({ method, path }: Pick<RequestMessage, 'method' | 'path'>): string {
  const line = `${method} ${path}`
  return line.length <= maxSummaryLength ? line : `${line.slice(0, maxSummaryLength - 1)}…`
}
