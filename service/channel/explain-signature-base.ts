/**
 * What a refused signature was checked over, told in development: a developer compares the digest with that of their own
 * signature base, and `miniseal explain` finds the difference. Production never tells it.
 */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestSignature } from 'miniseal-protocol/http-signatures/signed-request'
import { assertSignature } from 'miniseal-protocol/http-signatures/signed-request'
import type { Primitives } from 'miniseal-protocol/primitives/primitives'
import { encodeAscii, encodeHex } from 'miniseal-protocol/text'
import type { ExchangeContext } from './context.ts'

/**
 * As {@link assertSignature}; in development the refusal has two members more.
 *
 * @throws ProtocolError `signature_invalid`.
 */
export function assertSignedBy(
  { primitives, returnsSignatureBase }: Pick<ExchangeContext, 'primitives' | 'returnsSignatureBase'>,
  signature: RequestSignature,
  publicKey: Uint8Array,
): void {
  try {
    assertSignature(primitives, signature, publicKey)
  } catch (error) {
    if (!returnsSignatureBase || !(error instanceof ProtocolError)) throw error
    throw new ProtocolError(error.code, error.message, error.cause, baseMembers(primitives, signature.base))
  }
}

/** `base_sha256` in hex, and `base_lengths`: the length of each component's value, in the order of the base. */
function baseMembers(primitives: Primitives, base: string): Readonly<Record<string, string>> {
  const lengths = base.split('\n').map((line) => {
    const end = line.indexOf('": ')
    return `${line.slice(1, end)}=${line.length - end - 3}`
  })
  return { base_sha256: encodeHex(primitives.sha256(encodeAscii(base))), base_lengths: lengths.join(' ') }
}
