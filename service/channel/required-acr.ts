/** What a session itself requires of its requests, before any handler is asked. */
import type { Caller } from '../gateway/backend.ts'
import { plainSummary, stepUpRequired } from '../gateway/step-up.ts'
import { renewalPath } from '../sessions/tokens.ts'
import type { Command } from './authorize.ts'
import type { ExchangeContext } from './context.ts'
import { outcomesPath } from './idempotency.ts'

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * The channel's own requests that pass all the same: they keep this session going, end it, have messages sent to it, or
 * make sure that a request has no effect. Without the first two, who has no finger to show could neither read on nor log
 * out. With a query they do not pass.
 */
const passing: ReadonlySet<string> = new Set([
  `POST ${renewalPath}`,
  'DELETE /sessions/current',
  'POST /events/subscription',
])

/** @throws ProblemError `step_up_required` for an unconfirmed request that may have an effect, in a session that requires more. */
export function assertRequiredAcr(
  { backend }: ExchangeContext,
  { message, requiredAcr }: Command,
  { acr }: Caller,
): void {
  if (requiredAcr === null || acr === requiredAcr || safeMethods.has(message.method)) return
  const line = `${message.method} ${message.path}`
  if (passing.has(line) || line.startsWith(`DELETE ${outcomesPath}`)) return
  throw stepUpRequired(backend.summaryOf?.(message) ?? plainSummary(message))
}
