/** Which requests of a gateway route need a biometric confirmation: said in the routes file, not in the backend. */
import { z } from 'zod'
import type { RequestMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import type { Caller } from './backend.ts'
import { isPlainNumber, readMembers } from './policy-json.ts'
import { StepUpNeeded } from './step-up.ts'

const summaryShape = z.string().min(1).max(200).optional()

/** What a body's number is compared with, as exactly. */
const plainNumber = z
  .number()
  .refine((value) => isPlainNumber(String(value)), { error: 'must be a number of at most 15 digits' })

/** `step_up` of a route: always, or when a member of the JSON body is above a value. */
export const stepUpShape = z.union([
  z.strictObject({ always: z.literal(true), summary: summaryShape }),
  z.strictObject({
    above: z.strictObject({ member: z.string().min(1).max(64), value: plainNumber }),
    summary: summaryShape,
  }),
])

export type StepUpPolicy = z.infer<typeof stepUpShape>

/** A member of the body in a summary. */
const placeholder = /\{([A-Za-z0-9_]{1,64})\}/g

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Lets a request pass that is confirmed, or needs no confirmation. Reading needs none.
 *
 * @throws StepUpNeeded with the route's summary, in which `{member}` stands for that member of the body
 * @throws ProtocolError `payload_invalid` when the body cannot be judged: it must not pass for a small one.
 */
export function assertConfirmed(
  policy: StepUpPolicy | undefined,
  message: RequestMessage,
  caller: Caller,
): void {
  if (policy === undefined || caller.acr === 'soter' || safeMethods.has(message.method)) return
  if ('above' in policy && !isAbove(bodyOf(policy, message), policy.above)) return
  throw new StepUpNeeded(summaryOf(policy, message))
}

/**
 * What the user is shown of a request.
 *
 * @throws ProtocolError `payload_invalid` when its body cannot be read.
 */
export function summaryOf(policy: StepUpPolicy, message: RequestMessage): string {
  return filledIn(policy.summary ?? `${message.method} ${message.path}`, bodyOf(policy, message))
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
  if (typeof given !== 'number') throw new ProtocolError('payload_invalid', `not as it must be: ${member}`)
  return given > value
}

/** Attacker-controlled values, shown to the very user who sent them; bounded, since a screen is small. */
function filledIn(summary: string, body: Readonly<Record<string, unknown>>): string {
  return summary.replace(placeholder, (_, member: string) => {
    const value = Object.hasOwn(body, member) ? body[member] : undefined
    return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 64) : ''
  })
}
