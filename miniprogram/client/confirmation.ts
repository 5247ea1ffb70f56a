/** A person's yes to exactly one request: the summary on the screen, then the finger or the face. */
import { summaryFault } from 'miniseal-protocol/summary'
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { stringMember } from './json.ts'
import { stepUpField } from './step-up.ts'

/** What the service asks for; both from its signed refusal. */
export interface ConfirmationRequest {
  readonly challenge: string
  readonly summary: string
}

/** `undefined` for every other error. */
export function findConfirmationRequest(error: unknown): ConfirmationRequest | undefined {
  if (!(error instanceof ChannelError) || error.code !== 'step_up_required') return undefined
  const challenge = stringMember(error.problem, 'challenge')
  return challenge === undefined
    ? undefined
    : { challenge, summary: stringMember(error.problem, 'summary') ?? '' }
}

const unconfirmed: readonly ChannelErrorCode[] = ['step_up_required', 'step_up_invalid', 'wechat_unavailable']

/** Whether a request that was asked to be confirmed failed because the person, the phone or WeChat did not. */
export function isUnconfirmed(error: unknown): error is ChannelError {
  // Of the confirmed request, which was sent, the outcome is never `none`.
  return error instanceof ChannelError && (error.outcome === 'none' || unconfirmed.includes(error.code))
}

/**
 * Asks the person.
 *
 * @param confirm as in the request's options
 * @returns the value of the header `step-up`
 * @throws ChannelError `unexpected_answer` for a summary that cannot be shown as a whole, as it is;
 *   `confirmation_cancelled` or what SOTER says. The confirmed request has not been sent then.
 */
export async function confirmed(
  { ask, soter, platform }: Environment,
  { challenge, summary }: ConfirmationRequest,
  confirm: true | ((summary: string) => Promise<boolean>),
): Promise<string> {
  // The service shows nothing like it; what a person cannot read as it is, they are not asked about.
  if (summaryFault(summary) !== undefined)
    throw new ChannelError('unexpected_answer', 'the summary cannot be shown', { retryable: false })
  const isWanted = await (confirm === true ? ask : confirm)(summary)
  if (!isWanted) throw new ChannelError('confirmation_cancelled', 'the person did not confirm')
  return stepUpField(challenge, await soter(challenge, summary, platform.platform))
}
