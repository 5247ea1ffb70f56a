/** Who signed an answer, and for which request. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import type { ChannelConfiguration } from 'miniseal-protocol/frames/channel-configuration'
import { verifyResponse } from 'miniseal-protocol/http-signatures/signed-response'
import type { Configurations } from './configurations.ts'
import { signingKeysAt } from './configurations.ts'
import type { Environment } from './environment.ts'
import { ChannelError } from './errors.ts'
import { verifying } from './verifying.ts'

/**
 * Verifies that the service signed `response` for exactly `request`. When it signed with a key that the kept
 * configuration does not list, keys were rotated: the configuration is fetched anew, once.
 *
 * @returns when the service made the answer, UNIX seconds
 * @throws ChannelError `not_verified`, or that of the configuration.
 */
export async function verifyAnswer(
  environment: Environment,
  configurations: Configurations,
  request: RequestMessage,
  response: ResponseMessage,
): Promise<number> {
  const primitives = await environment.loadPrimitives()
  const configuration = await configurations.current()
  const verifiedWith = (known: ChannelConfiguration): number => {
    return verifyResponse(primitives, response, request, signingKeysAt(known, environment.clock.seconds()))
      .created
  }
  try {
    return verifying(() => verifiedWith(configuration))
  } catch (error) {
    if (!isUnknownKey(error)) throw error
  }
  const newer = await configurations.newerThan(configuration)
  return verifying(() => verifiedWith(newer))
}

function isUnknownKey(error: unknown): boolean {
  if (!(error instanceof ChannelError)) return false
  return error.cause instanceof ProtocolError && error.cause.code === 'key_unknown'
}
