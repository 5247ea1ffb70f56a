/** A biometric confirmation in a terminal: the sandbox lends its finger. */

import type { ChannelError } from 'miniseal-client/node'
import { stepUpField } from 'miniseal-client/node'
import { z } from 'zod'
import { CommandFailed } from './command.ts'

/** What a `step_up_required` asks for (protocol, section 9). */
export interface StepUpAsked {
  readonly challenge: string
  /** What is to be confirmed, in words for people. */
  readonly summary: string
}

const asked = z.object({ challenge: z.string(), summary: z.string() })

const soterReply = z.object({ resultJSON: z.string(), resultJSONSignature: z.string() })

/** What the service wants confirmed; `undefined` for every other error. */
export function findStepUp({ code, problem }: ChannelError): StepUpAsked | undefined {
  return code === 'step_up_required' ? asked.safeParse(problem).data : undefined
}

/**
 * Has the sandbox sign the challenge as the device of `openid` would.
 *
 * @returns the value of the field `step-up`
 * @throws CommandFailed when the sandbox does not sign.
 */
export async function confirmInSandbox(sandbox: string, openid: string, challenge: string): Promise<string> {
  const response = await fetch(`${sandbox}/sandbox/soter`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ openid, challenge }),
  })
  if (!response.ok) throw new CommandFailed(`the sandbox did not confirm (status ${response.status})`)
  return stepUpField(challenge, soterReply.parse(await response.json()))
}
