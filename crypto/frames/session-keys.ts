/** Encryption and decryption of the frames of a session (protocol, section 4, "Keys of messages"). */
import { concatBytes, encodeU64, parseU64 } from '../bytes.ts'
import { ProtocolError, refuseFormat } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { suite1 } from '../primitives/suite.ts'
import { encodeAscii } from '../text.ts'
import type { EventFrame, RequestFrame, ResponseFrame } from './frame.ts'
import { encodeFrame } from './frame.ts'

/** The two keys of a session, 32 bytes each. Secret: only in memory on the device, encrypted at rest in the service. */
export interface SessionKeys {
  readonly c2s: Uint8Array
  readonly s2c: Uint8Array
}

const none: Uint8Array = new Uint8Array(0)
const responseLabel: Uint8Array = encodeAscii(suite1.labels.response)
const eventLabel: Uint8Array = encodeAscii(suite1.labels.event)

/** Frame 0x03. `nonce` is 24 new random bytes. */
export function sealRequest(
  primitives: Primitives,
  keys: SessionKeys,
  sessionId: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const box = primitives.secretboxSeal(plaintext, nonce, keys.c2s)
  return encodeFrame({ kind: 'request', sessionId, nonce, box })
}

/** The plaintext of frame 0x03. @throws ProtocolError `cannot_open`, whichever byte is wrong. */
export function openRequest(primitives: Primitives, keys: SessionKeys, frame: RequestFrame): Uint8Array {
  return opened(primitives.secretboxOpen(frame.box, frame.nonce, keys.c2s))
}

/** Frame 0x04. Its key is bound to `requestNonce`, the frame nonce of the request. */
export function sealResponse(
  primitives: Primitives,
  keys: SessionKeys,
  requestNonce: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const key = primitives.hkdf(keys.s2c, requestNonce, responseLabel)
  return encodeFrame({
    kind: 'response',
    requestNonce,
    nonce,
    box: primitives.secretboxSeal(plaintext, nonce, key),
  })
}

/** The plaintext of frame 0x04. The caller matches `requestNonce` first. @throws ProtocolError `cannot_open`. */
export function openResponse(primitives: Primitives, keys: SessionKeys, frame: ResponseFrame): Uint8Array {
  const key = primitives.hkdf(keys.s2c, frame.requestNonce, responseLabel)
  return opened(primitives.secretboxOpen(frame.box, frame.nonce, key))
}

/** An event: its sequence number, per user and from 1, and its bytes. */
export interface SequencedEvent {
  readonly sequence: number
  readonly event: Uint8Array
}

/** Frame 0x05. */
export function sealEvent(
  primitives: Primitives,
  keys: SessionKeys,
  nonce: Uint8Array,
  event: SequencedEvent,
): Uint8Array {
  const key = primitives.hkdf(keys.s2c, none, eventLabel)
  const plaintext = concatBytes(encodeU64(event.sequence), event.event)
  return encodeFrame({ kind: 'event', nonce, box: primitives.secretboxSeal(plaintext, nonce, key) })
}

/** The content of frame 0x05. The caller rejects gaps and repetitions. @throws ProtocolError `cannot_open`. */
export function openEvent(primitives: Primitives, keys: SessionKeys, frame: EventFrame): SequencedEvent {
  const key = primitives.hkdf(keys.s2c, none, eventLabel)
  const plaintext = opened(primitives.secretboxOpen(frame.box, frame.nonce, key))
  const sequence = refuseFormat('cannot_open', () => parseU64(plaintext.subarray(0, 8)))
  return { sequence, event: plaintext.subarray(8) }
}

function opened(plaintext: Uint8Array | undefined): Uint8Array {
  if (plaintext === undefined) throw new ProtocolError('cannot_open', 'the frame cannot be opened')
  return plaintext
}
