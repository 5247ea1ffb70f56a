/** Which requests of a gateway route need a biometric confirmation: said in the routes file, not in the backend. */
import { z } from 'zod'
import type { RequestMessage } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'
import { parseDecodedJson } from '../messages/json.ts'
import type { Caller } from './backend.ts'
import { StepUpNeeded } from './step-up.ts'

const summaryShape = z.string().min(1).max(200).optional()

/** `step_up` of a route: always, or when a member of the JSON body is above a value. */
export const stepUpShape = z.union([
  z.strictObject({ always: z.literal(true), summary: summaryShape }),
  z.strictObject({
    above: z.strictObject({ member: z.string().min(1).max(64), value: z.number() }),
    summary: summaryShape,
  }),
])

export type StepUpPolicy = z.infer<typeof stepUpShape>

const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

const anyObject = z.record(z.string(), z.unknown())

/**
 * Lets a request pass that is confirmed, or needs no confirmation. Reading needs none.
 *
 * @throws StepUpNeeded with the route's summary, in which `{member}` stands for that member of the body
 * @throws ProtocolError `payload_invalid` when the body cannot be judged: it must not pass for a small one.
 */
export async function assertConfirmed(
  policy: StepUpPolicy | undefined,
  message: RequestMessage,
  caller: Caller,
): Promise<void> {
  if (policy === undefined || caller.acr === 'soter' || safeMethods.has(message.method)) return
  if ('above' in policy && !isAbove(await bodyOf(policy, message), policy.above)) return
  throw new StepUpNeeded(await summaryOf(policy, message))
}

/**
 * What the user is shown of a request.
 *
 * @throws ProtocolError `payload_invalid` when its body cannot be read.
 */
export async function summaryOf(policy: StepUpPolicy, message: RequestMessage): Promise<string> {
  return filledIn(policy.summary ?? `${message.method} ${message.path}`, await bodyOf(policy, message))
}

async function bodyOf(policy: StepUpPolicy, message: RequestMessage): Promise<Record<string, unknown>> {
  return message.content.length === 0 && 'always' in policy ? {} : await parseDecodedJson(message, anyObject)
}

function isAbove(
  body: Record<string, unknown>,
  { member, value }: { member: string; value: number },
): boolean {
  const given = Object.hasOwn(body, member) ? body[member] : undefined
  if (typeof given !== 'number') throw new ProtocolError('payload_invalid', `not as it must be: ${member}`)
  return given > value
}

/** Attacker-controlled values, shown to the very user who sent them; bounded, since a screen is small. */
function filledIn(summary: string, body: Record<string, unknown>): string {
  return summary.replace(/\{([A-Za-z0-9_]{1,64})\}/g, (_, member: string) => {
    const value = Object.hasOwn(body, member) ? body[member] : undefined
    return typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 64) : ''
  })
}
