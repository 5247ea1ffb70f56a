/** The content of a request as its sender meant it: without the coding it travelled in (protocol, section 5). */
import { gunzipSync } from 'node:zlib'
import type { RequestMessage } from '../../crypto/binary-http.ts'
import { findField } from '../../crypto/binary-http.ts'
import { ProtocolError } from '../../crypto/errors.ts'

/** Bytes that a compressed content may grow to: eight times the largest frame. */
const maxDecoded = 8_388_608

/**
 * Undoes `content-encoding: gzip`. Attacker-controlled: the size of the result is bounded.
 *
 * @throws ProtocolError `payload_invalid` for another coding, for what is not gzip, and over the bound.
 */
export function decodedContent(message: RequestMessage): Uint8Array {
  const coding = findField(message.fields, 'content-encoding')
  if (coding === undefined) return message.content
  if (coding !== 'gzip') throw new ProtocolError('payload_invalid', 'the only content coding is gzip')
  try {
    return new Uint8Array(gunzipSync(message.content, { maxOutputLength: maxDecoded }))
  } catch {
    throw new ProtocolError('payload_invalid', 'the content is not gzip, or too large when unpacked')
  }
}
