/** A person's yes to exactly one request: the summary on the screen, then the finger or the face. */
import type { Environment } from './environment.ts'
import type { ChannelErrorCode } from './error-texts.ts'
import { ChannelError } from './errors.ts'
import { stringMember } from './json.ts'
import { stepUpField } from './step-up.ts'

/** What the service asks for; both from its signed refusal. */
export interface Asked {
  readonly challenge: string
  readonly summary: string
}

/** `undefined` for every other error. */
export function findAsked(error: unknown): Asked | undefined {
  if (!(error instanceof ChannelError) || error.code !== 'step_up_required') return undefined
  const challenge = stringMember(error.problem, 'challenge')
  return challenge === undefined
    ? undefined
    : { challenge, summary: stringMember(error.problem, 'summary') ?? '' }
}

const unconfirmed: readonly ChannelErrorCode[] = [
  'confirmation_cancelled',
  'step_up_required',
  'step_up_invalid',
  'wechat_unavailable',
]

/** Whether it failed because the person, the phone or WeChat did not confirm it. */
export function isUnconfirmed(error: unknown): error is ChannelError {
  if (!(error instanceof ChannelError)) return false
  return unconfirmed.includes(error.code) || error.code.startsWith('soter_')
}

/**
 * Asks the person.
 *
 * @param confirm as in the request's options
 * @returns the value of the header `step-up`
 * @throws ChannelError `confirmation_cancelled` or what SOTER says.
 */
export async function confirmed(
  { ask, soter, platform }: Environment,
  { challenge, summary }: Asked,
  confirm: true | ((summary: string) => Promise<boolean>),
): Promise<string> {
  const isWanted = await (confirm === true ? ask : confirm)(summary)
  if (!isWanted) throw new ChannelError('confirmation_cancelled', 'the person did not confirm')
  return stepUpField(challenge, await soter(challenge, summary, platform.platform))
}
