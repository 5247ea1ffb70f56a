/** Which requests of a gateway route need a biometric confirmation: said in the routes file, not in the backend. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { isSafeMethod } from 'miniseal-protocol/http-signatures/message-rules'
import { summaryFault } from 'miniseal-protocol/summary'
import { z } from 'zod'
import type { Caller } from './backend.ts'
import { isPlainNumber, readMembers } from './policy-json.ts'
import { plainSummary, stepUpRequired } from './step-up.ts'

/** A member of the body in a template. */
const placeholder = /\{([A-Za-z0-9_]{1,64})\}/g

/** A text that is more than blanks, the empty pattern of Braille among them. */
const visible = /[^\p{Z}\u2800]/u

/** Characters that may stand before the amount: a sign of the currency, a verb. */
const maxLead = 8

/**
 * What is wrong with a template whatever the body says: it must fit the prompt, and show the amount before any other
 * member, so that a long name of a payee can neither push it out of sight nor, written from right to left, reorder it.
 */
function templateFault(template: string, amount: string): string | undefined {
  // Each member takes one character at least.
  const fault = summaryFault(template.replace(placeholder, 'x'))
  if (fault !== undefined) return fault
  const [first, ...others] = [...template.matchAll(placeholder)]
  if (first?.[1] === amount) {
    return first.index > maxLead ? `more than ${maxLead} characters stand before {${amount}}` : undefined
  }
  return others.some(([, member]) => member === amount) ? `{${amount}} is not the first member` : undefined
}

const templateShape = z.string().superRefine((template, context) => {
  const fault = templateFault(template, 'amount')
  if (fault !== undefined) context.addIssue({ code: 'custom', message: `cannot be shown: ${fault}` })
})

/** What a body's number is compared with, as exactly. */
const plainNumber = z
  .number()
  .refine((value) => isPlainNumber(String(value)), { error: 'must be a number of at most 15 digits' })

/** `step_up` of a route: always, or when a member of the JSON body is above a value. */
export const stepUpShape = z.union([
  z.strictObject({ always: z.literal(true), summary: templateShape.optional() }),
  z
    .strictObject({
      above: z.strictObject({ member: z.string().regex(/^[A-Za-z0-9_]{1,64}$/), value: plainNumber }),
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
 * Lets a request pass that is confirmed, or needs no confirmation. Reading needs none.
 *
 * @throws ProblemError `step_up_required` with the route's summary, in which `{member}` stands for that member of the body
 * @throws ProtocolError `payload_invalid` when the body cannot be judged: it must not pass for a small one.
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
 * What the user is shown of a request.
 *
 * @throws ProtocolError `payload_invalid` when its body cannot be read.
 */
export function summaryOf(policy: StepUpPolicy, message: RequestMessage): string {
  const { summary } = policy
  // Without a body there is nothing that a template could show.
  return summary === undefined || message.content.length === 0
    ? plainSummary(message)
    : filledIn(summary, bodyOf(policy, message))
}

/** What the policy judges and shows of the body: a body of which it does neither may be of any kind. */
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
  if (typeof given !== 'number') throw new ProtocolError('payload_invalid', `invalid: ${member}`)
  return given > value
}

/**
 * Attacker-controlled values, shown to the very user who sent them. What cannot be shown as a whole is refused, and not
 * cut: nobody confirms half of it.
 *
 * @throws ProtocolError `payload_invalid`
 */
function filledIn(template: string, body: Readonly<Record<string, unknown>>): string {
  const summary = template.replace(placeholder, (_, member: string) => {
    const value = Object.hasOwn(body, member) ? body[member] : undefined
    if ((typeof value === 'string' && visible.test(value)) || typeof value === 'number') return String(value)
    throw new ProtocolError('payload_invalid', `invalid: ${member}`)
  })
  const fault = summaryFault(summary)
  if (fault !== undefined) throw new ProtocolError('payload_invalid', fault)
  return summary
}
