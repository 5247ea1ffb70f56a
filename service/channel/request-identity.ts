/** What makes two requests the same one (protocol, section 8): whoever repeats or confirms a request changes none of it. */

import { concatBytes, lengthPrefixed } from 'miniseal-protocol/bytes'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { componentItem, componentValue } from 'miniseal-protocol/http-signatures/signature-base'
import { requiredComponents } from 'miniseal-protocol/http-signatures/signed-request'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { encodeUtf8 } from 'miniseal-protocol/text'

/** Another token, and a confirmation, do not make it another request. */
const ofThisAttempt: ReadonlySet<string> = new Set(['authorization', 'step-up'])

/**
 * Name and value of each component that the device's signature covers, in the order of coverage, but for `authorization`
 * and `step-up`.
 *
 * @param message whose signature was verified, so that all of these have a value
 */
export function identityParts(message: RequestMessage): readonly string[] {
  return requiredComponents(message)
    .filter((name) => !ofThisAttempt.has(name))
    .flatMap((name) => [name, componentValue(componentItem(name), { request: message }) ?? ''])
}

/** H( lp(part) ‖ … ), 32 bytes. */
export function digestOfParts(primitives: Primitives, parts: readonly string[]): Uint8Array {
  return primitives.sha256(concatBytes(...parts.map((part) => lengthPrefixed(encodeUtf8(part)))))
}
