/** Rules for requests that need a biometric confirmation (protocol, section 9; RFC 9470). */
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { Caller } from 'miniseal-protocol/http-signatures/gateway-signature'
import { isSafeMethod } from 'miniseal-protocol/http-signatures/message-rules'
import { maxSummaryLength, summaryFault } from 'miniseal-protocol/summary'
import { z } from 'zod'
import { ProblemError } from '../problems/problem-error.ts'
import { isPlainNumber, readMembers } from './unambiguous-json.ts'

/**
 * The refusal with which a handler, before any effect, requires a confirmation of this request by fingerprint or face:
 *
 * ```ts
 * if (c.var.caller.acr !== 'soter') throw stepUpRequired('2,000.00 元，转账给 bob')
 * ```
 *
 * The channel adds a challenge. The client sends the same request again; its caller then has the `acr` `soter`.
 *
 * @param summary the text of the confirmation prompt, amount first: 1 to 42 characters without control
 *   or format characters
 * @returns `step_up_required`; `payload_invalid` for any other summary, since the client controls parts of it
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

/** A member of the body in a template. */
const placeholder = /\{([A-Za-z0-9_]{1,64})\}/g

/** A text that is not blank; the empty Braille pattern counts as blank. */
const visible = /[^\p{Z}\u2800]/u

/** Characters that may precede the amount: a currency sign, a verb. */
const maxLead = 8

/**
 * The fault of a template that is unsafe for some body. A template must fit the prompt and show the amount before any
 * other member, so that a long payee name cannot hide the amount, and a right-to-left name cannot reorder it.
 */
function templateFault(template: string, amount: string): string | undefined {
  // Each member takes one character at least.
  const fault = summaryFault(template.replace(placeholder, 'x'))
  if (fault !== undefined) return fault
  const [first, ...others] = [...template.matchAll(placeholder)]
  if (first?.[1] === amount) {
    return first.index > maxLead ? `more than ${maxLead} characters precede {${amount}}` : undefined
  }
  return others.some(([, member]) => member === amount) ? `{${amount}} is not the first member` : undefined
}

const templateShape = z.string().superRefine((template, context) => {
  const fault = templateFault(template, 'amount')
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `cannot be shown: ${fault}` })
})

/** The threshold for a number of the body; as precise as the body's numbers. */
const threshold = z
  .number()
  .refine((value) => isPlainNumber(String(value)), { error: 'must be a number of at most 15 digits' })

/** `step_up` of a route in the routes file: always, or when a member of the JSON body is above a value. */
export const stepUpShape = z.union([
  z.strictObject({ always: z.literal(true), summary: templateShape.optional() }),
  z
    .strictObject({
      above: z.strictObject({ member: z.string().regex(/^[A-Za-z0-9_]{1,64}$/), value: threshold }),
      summary: z.string(),
    })
    .superRefine(({ above: { member }, summary }, context) => {
      const isShown = summary.includes(`{${member}}`)
      const fault = isShown ? templateFault(summary, member) : `it does not show {${member}}`
      if (fault !== undefined)
        context.addIssue({ code: 'custom', path: ['summary'], message: `cannot be shown: ${fault}` })
    }),
])

export type StepUpPolicy = z.infer<typeof stepUpShape>

/**
 * Accepts a request that is confirmed or needs no confirmation. Safe methods need none.
 *
 * @throws ProblemError `step_up_required` with the route's summary, in which `{member}` is replaced by that member of the body;
 *   `payload_invalid` for a body without a valid amount: it must not pass as a small one.
 */
export function assertConfirmed(
  policy: StepUpPolicy | undefined,
  message: RequestMessage,
  caller: Caller,
): void {
  if (policy === undefined || caller.acr === 'soter' || isSafeMethod(message.method)) return
  if ('above' in policy && !isAbove(bodyOf(policy, message), policy.above)) return
  throw stepUpRequired(summaryOf(policy, message))
}

/**
 * The text of the confirmation prompt for a request.
 *
 * @throws ProblemError `payload_invalid` when its body cannot be read.
 */
export function summaryOf(policy: StepUpPolicy, message: RequestMessage): string {
  const { summary } = policy
  // A template cannot be filled in from an empty body.
  return summary === undefined || message.content.length === 0
    ? plainSummary(message)
    : filledIn(summary, bodyOf(policy, message))
}

/** The members that the policy compares or shows. Without any, the body may have any content type. */
function bodyOf(policy: StepUpPolicy, message: RequestMessage): Readonly<Record<string, unknown>> {
  const shown = [...(policy.summary ?? '').matchAll(placeholder)].map(([, name = '']) => name)
  const names = 'above' in policy ? [policy.above.member, ...shown] : shown
  const isEmpty = message.content.length === 0 && 'always' in policy
  return names.length === 0 || isEmpty ? {} : readMembers(message, names)
}

function isAbove(
  body: Readonly<Record<string, unknown>>,
  { member, value }: { member: string; value: number },
): boolean {
  const given = Object.hasOwn(body, member) ? body[member] : undefined
  if (typeof given !== 'number') throw new ProblemError('payload_invalid', `not a valid amount: ${member}`)
  return given > value
}

/**
 * Fills in attacker-controlled values, which are shown to the user who sent them. A summary that is too long is refused,
 * not truncated: the user must confirm all of it.
 *
 * @throws ProblemError `payload_invalid`
 */
function filledIn(template: string, body: Readonly<Record<string, unknown>>): string {
  const summary = template.replace(placeholder, (_, member: string) => {
    const value = Object.hasOwn(body, member) ? body[member] : undefined
    if ((typeof value === 'string' && visible.test(value)) || typeof value === 'number') return String(value)
    throw new ProblemError('payload_invalid', `missing or invalid member: ${member}`)
  })
  const fault = summaryFault(summary)
  if (fault !== undefined) throw new ProblemError('payload_invalid', fault)
  return summary
}
