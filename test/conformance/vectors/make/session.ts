/** session.json: the frames of an open session, with their keys, and frames that do not open. */
import { encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import {
  event,
  eventKey,
  keys,
  nonce,
  plaintext,
  refusedSessionFrames,
  request,
  requestNonce,
  response,
  responseKey,
  sessionId,
} from '../../../unit/crypto/refused-session-frames.ts'

/** Hex throughout, but for `sequence`; `key` is the one that seals the box. */
export interface SessionVectors {
  readonly c2s: string
  readonly s2c: string
  readonly sid: string
  readonly request: {
    readonly key: string
    readonly nonce: string
    readonly plaintext: string
    readonly frame: string
  }
  readonly response: {
    readonly request_nonce: string
    readonly key: string
    readonly nonce: string
    readonly plaintext: string
    readonly frame: string
  }
  readonly event: {
    readonly key: string
    readonly nonce: string
    readonly sequence: number
    readonly event: string
    readonly frame: string
  }
  readonly refused: readonly { readonly title: string; readonly code: string; readonly frame: string }[]
}

export function sessionVectors(): SessionVectors {
  const hex = encodeHex
  return {
    c2s: hex(keys.c2s),
    s2c: hex(keys.s2c),
    sid: hex(sessionId),
    request: { key: hex(keys.c2s), nonce: hex(requestNonce), plaintext: hex(plaintext), frame: hex(request) },
    response: {
      request_nonce: hex(requestNonce),
      key: hex(responseKey),
      nonce: hex(nonce),
      plaintext: hex(plaintext),
      frame: hex(response),
    },
    event: {
      key: hex(eventKey),
      nonce: hex(nonce),
      sequence: 7,
      event: hex(encodeUtf8('{"kind":"transfer"}')),
      frame: hex(event),
    },
    refused: refusedSessionFrames.map(([title, frame]) => ({
      title,
      code: 'cannot_open',
      frame: hex(frame),
    })),
  }
}
