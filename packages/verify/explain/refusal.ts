/** The explanation of a refused request, as text for the log of a backend. */
import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import type { FindKey } from '../keys.ts'
import { findSignatures, keyidOf, knownKey } from './checks.ts'
import { explainCapture } from './explain.ts'
import { en } from './locales/en.ts'
import { printReport } from './print.ts'
import type { KnownKey } from './types.ts'
import { inlineBudget } from './types.ts'

/**
 * Takes a few milliseconds and shows no token.
 *
 * @param message attacker-controlled; its authority is that of the origin
 * @param now UNIX seconds
 */
export async function explainRefusal(
  message: RequestMessage,
  findMessageKey: FindKey,
  now: number,
): Promise<string> {
  const keys = await namedKeys(message, findMessageKey)
  const capture = { request: { message, lines: message.fields }, notes: [] }
  return printReport(explainCapture(capture, { keys, at: now, now, budget: inlineBudget }), en).trimEnd()
}

/** The service's keys that the gateway signatures name. */
async function namedKeys(message: RequestMessage, findMessageKey: FindKey): Promise<readonly KnownKey[]> {
  const { members } = findSignatures(message.fields, false)
  const names = members.filter(({ kind }) => kind === 'gateway').map(({ input }) => keyidOf(input))
  const found: KnownKey[] = []
  for (const name of names.slice(0, 2)) {
    try {
      const key = await findMessageKey(name)
      if (key !== undefined) found.push(knownKey(key, name, 'jwks', 'message'))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
    }
  }
  return found
}
