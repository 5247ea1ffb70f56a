/** How a handler asks for a biometric confirmation (protocol, section 9; RFC 9470). */

/**
 * Thrown by a handler that has done nothing yet and wants this request confirmed by its user's finger or face:
 *
 * ```ts
 * if (c.var.caller.acr !== 'soter') throw new StepUpNeeded('向 bob 转账 2,000.00 元')
 * ```
 *
 * The exchange turns it into `step_up_required`. The same request, confirmed, comes again with `acr` `soter`.
 */
export class StepUpNeeded extends Error {
  /** What the user is shown beside the fingerprint sensor: whom, how much. */
  readonly summary: string

  constructor(summary: string) {
    super('the request needs a biometric confirmation')
    this.name = 'StepUpNeeded'
    this.summary = summary
  }
}
