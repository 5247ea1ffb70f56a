/** The explanation of a request that a verifier refused, as text for its own log. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { PublishedKeys } from '../keys/published-keys.ts'
import { explainCapture } from './explain.ts'
import { brief } from './options.ts'
import { printReport } from './print.ts'
import type { KnownKey } from './public-keys.ts'
import { keyOf } from './public-keys.ts'
import { findSigned } from './signed-members.ts'
import { keyidOf } from './single-checks.ts'

/**
 * Explains in a few milliseconds, and shows no token.
 *
 * @param message attacker-controlled; its authority is that of the origin
 * @param now UNIX seconds
 */
export async function explainForLog(
  message: RequestMessage,
  keys: PublishedKeys,
  now: number,
): Promise<string> {
  const request = { message, lines: message.fields }
  const known = await namedKeys(message, keys)
  const report = explainCapture({ request, notes: [] }, { keys: known, at: now, now, budget: brief })
  return printReport(report, 'en').trimEnd()
}

/** The service's keys that the signatures name, as far as there are any. */
async function namedKeys(message: RequestMessage, keys: PublishedKeys): Promise<readonly KnownKey[]> {
  const { members } = findSigned(message.fields, false)
  const names = members.filter(({ kind }) => kind === 'gateway').map(({ input }) => keyidOf(input))
  const found: KnownKey[] = []
  for (const name of names.slice(0, 2)) {
    try {
      found.push(keyOf(await keys.findMessageKey(name), name, 'jwks', 'message'))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
    }
  }
  return found
}
