/**
 * Frames, the outer messages of the protocol (section 4).
 *
 * ```
 * 0x01 handshake request    version ‖ 0x01 ‖ kid8 ‖ e_c(32) ‖ nonce(24) ‖ box
 * 0x02 handshake response   version ‖ 0x02 ‖ e_s(32) ‖ nonce(24) ‖ box
 * 0x03 request              version ‖ 0x03 ‖ sid(16) ‖ nonce(24) ‖ box
 * 0x04 response             version ‖ 0x04 ‖ request_nonce(24) ‖ nonce(24) ‖ box
 * 0x05 event                version ‖ 0x05 ‖ nonce(24) ‖ box
 * 0x0f refusal              version ‖ 0x0f ‖ UTF-8 problem+json
 * ```
 */
import { byteAt, concatBytes } from '../bytes.ts'
import { ProtocolError } from '../errors.ts'
import { suite1 } from '../primitives/suite.ts'

export interface HandshakeRequestFrame {
  readonly kind: 'handshake-request'
  readonly keyHint: Uint8Array
  readonly ephemeral: Uint8Array
  readonly nonce: Uint8Array
  readonly box: Uint8Array
}

export interface HandshakeResponseFrame {
  readonly kind: 'handshake-response'
  readonly ephemeral: Uint8Array
  readonly nonce: Uint8Array
  readonly box: Uint8Array
}

export interface RequestFrame {
  readonly kind: 'request'
  readonly sessionId: Uint8Array
  readonly nonce: Uint8Array
  readonly box: Uint8Array
}

export interface ResponseFrame {
  readonly kind: 'response'
  readonly requestNonce: Uint8Array
  readonly nonce: Uint8Array
  readonly box: Uint8Array
}

export interface EventFrame {
  readonly kind: 'event'
  readonly nonce: Uint8Array
  readonly box: Uint8Array
}

export interface RefusalFrame {
  readonly kind: 'refusal'
  readonly problem: Uint8Array
}

export type Frame =
  | HandshakeRequestFrame
  | HandshakeResponseFrame
  | RequestFrame
  | ResponseFrame
  | EventFrame
  | RefusalFrame

const types = {
  'handshake-request': 0x01,
  'handshake-response': 0x02,
  request: 0x03,
  response: 0x04,
  event: 0x05,
  refusal: 0x0f,
} as const

/** The bytes of a frame. The lengths of its parts are not checked. */
export function encodeFrame(frame: Frame): Uint8Array {
  const head = Uint8Array.of(suite1.version, types[frame.kind])
  switch (frame.kind) {
    case 'handshake-request':
      return concatBytes(head, frame.keyHint, frame.ephemeral, frame.nonce, frame.box)
    case 'handshake-response':
      return concatBytes(head, frame.ephemeral, frame.nonce, frame.box)
    case 'request':
      return concatBytes(head, frame.sessionId, frame.nonce, frame.box)
    case 'response':
      return concatBytes(head, frame.requestNonce, frame.nonce, frame.box)
    case 'event':
      return concatBytes(head, frame.nonce, frame.box)
    case 'refusal':
      return concatBytes(head, frame.problem)
  }
}

/**
 * Parses attacker-controlled bytes as a frame, before any cryptography. Its parts are views of `bytes`.
 *
 * @throws ProtocolError `frame_too_large` for more than `maxFrame` bytes; `malformed_frame` for an unknown version or type,
 *   and for a frame that is too short for its fixed parts and a box.
 */
export function parseFrame(bytes: Uint8Array, maxFrame: number): Frame {
  if (bytes.length > maxFrame) throw new ProtocolError('frame_too_large', 'the frame is over the size limit')
  if (bytes.length < 2) throw new ProtocolError('malformed_frame', 'the frame is too short')
  if (byteAt(bytes, 0) !== suite1.version) throw new ProtocolError('malformed_frame', 'unknown frame version')
  const reader = new PartReader(bytes, 2)
  switch (byteAt(bytes, 1)) {
    case types['handshake-request']:
      return {
        kind: 'handshake-request',
        keyHint: reader.part(suite1.keyHintLength),
        ephemeral: reader.part(suite1.keyLength),
        ...reader.nonceAndBox(),
      }
    case types['handshake-response']:
      return { kind: 'handshake-response', ephemeral: reader.part(suite1.keyLength), ...reader.nonceAndBox() }
    case types.request:
      return { kind: 'request', sessionId: reader.part(suite1.sessionIdLength), ...reader.nonceAndBox() }
    case types.response:
      return { kind: 'response', requestNonce: reader.part(suite1.boxNonceLength), ...reader.nonceAndBox() }
    case types.event:
      return { kind: 'event', ...reader.nonceAndBox() }
    case types.refusal:
      return { kind: 'refusal', problem: bytes.subarray(2) }
    default:
      throw new ProtocolError('malformed_frame', 'unknown frame type')
  }
}

class PartReader {
  private readonly bytes: Uint8Array
  private offset: number

  constructor(bytes: Uint8Array, offset: number) {
    this.bytes = bytes
    this.offset = offset
  }

  part(length: number): Uint8Array {
    const end = this.offset + length
    if (end > this.bytes.length) throw new ProtocolError('malformed_frame', 'the frame is too short')
    const part = this.bytes.subarray(this.offset, end)
    this.offset = end
    return part
  }

  nonceAndBox(): { readonly nonce: Uint8Array; readonly box: Uint8Array } {
    const nonce = this.part(suite1.boxNonceLength)
    const box = this.bytes.subarray(this.offset)
    if (box.length < suite1.boxTagLength) throw new ProtocolError('malformed_frame', 'the frame is too short')
    return { nonce, box }
  }
}
