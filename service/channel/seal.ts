/** From a reply to a sealed, signed frame. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { encodeResponse } from 'miniseal-protocol/frames/binary-http'
import { sealHandshakeResponse } from 'miniseal-protocol/frames/handshake'
import { padMessage } from 'miniseal-protocol/frames/padding'
import { sealResponse } from 'miniseal-protocol/frames/session-keys'
import { signResponse } from 'miniseal-protocol/http-signatures/signed-response'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import type { ExchangeContext } from './context.ts'
import type { OpenedFrame } from './open.ts'

/** The most that a frame adds to its plaintext, in bytes: head, request nonce, nonce, tag. */
const frameOverhead = 2 + suite1.keyLength + suite1.boxNonceLength + suite1.boxTagLength

/** Signs `reply` for `request` and seals it for whoever sent `opened`. @throws ProtocolError `upstream_unavailable` over the limit. */
export function sealReply(
  context: ExchangeContext,
  opened: OpenedFrame,
  reply: ResponseMessage,
  request: RequestMessage | undefined,
): Uint8Array {
  const { primitives } = context
  const now = context.now()
  const { kid, secretKey } = context.keyring.current('signing', now)
  const signed = signResponse(primitives, reply, request, { keyid: kid, secretKey }, now)
  const plaintext = padMessage(encodeResponse(signed))
  if (plaintext.length + frameOverhead > context.settings.maxFrame) {
    throw new ProtocolError('upstream_unavailable', 'the answer is over the frame limit')
  }
  const nonce = context.random(suite1.boxNonceLength)
  switch (opened.kind) {
    case 'handshake':
      return sealHandshakeResponse(primitives, opened.responseKey, opened.serviceEphemeral, nonce, plaintext)
    case 'request':
      return sealResponse(primitives, opened.keys, opened.nonce, nonce, plaintext)
  }
}
