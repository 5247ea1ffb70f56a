/** session.json: frames of an open session with their keys, and frames that must not open, each for one reason only. */
import { encodeFrame } from '../../../../crypto/frames/frame.ts'
import type { SessionKeys } from '../../../../crypto/frames/session-keys.ts'
import { sealEvent, sealRequest, sealResponse } from '../../../../crypto/frames/session-keys.ts'
import { encodeAscii, encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { fixed, flipped } from '../../../unit/crypto/fixed-inputs.ts'

export const keys: SessionKeys = { c2s: fixed('c2s'), s2c: fixed('s2c') }
export const sessionId = fixed('session id', 16)
export const requestNonce = fixed('nonce of the request', 24)
export const nonce = fixed('nonce of the answer', 24)
const plaintext = encodeUtf8('an inner message'.padEnd(256, '\0'))

export const request = sealRequest(primitives, keys, sessionId, requestNonce, plaintext)
export const response = sealResponse(primitives, keys, requestNonce, nonce, plaintext)
export const event = sealEvent(primitives, keys, nonce, {
  sequence: 7,
  event: encodeUtf8('{"kind":"transfer"}'),
})

/** The keys that seal a response and an event, by the formulas of the protocol. */
const responseKey = primitives.hkdf(keys.s2c, requestNonce, encodeAscii('miniseal/1 response'))
const eventKey = primitives.hkdf(keys.s2c, new Uint8Array(0), encodeAscii('miniseal/1 event'))

const seal = primitives.secretboxSeal
const swapped: SessionKeys = { c2s: keys.s2c, s2c: keys.c2s }

function requestWith(key: Uint8Array): Uint8Array {
  return encodeFrame({
    kind: 'request',
    sessionId,
    nonce: requestNonce,
    box: seal(plaintext, requestNonce, key),
  })
}

function responseWith(key: Uint8Array): Uint8Array {
  return encodeFrame({ kind: 'response', requestNonce, nonce, box: seal(plaintext, nonce, key) })
}

function eventWith(key: Uint8Array, content: Uint8Array): Uint8Array {
  return encodeFrame({ kind: 'event', nonce, box: seal(content, nonce, key) })
}

/** Bits of the nonce, the tag, the ciphertext and the end; `nonceAt` is where the nonce begins. */
function damaged(
  kind: string,
  frame: Uint8Array,
  nonceAt: number,
): readonly (readonly [string, Uint8Array])[] {
  return [
    [`${kind} with a flipped bit in its nonce`, flipped(frame, nonceAt)],
    [`${kind} with a flipped bit in its tag`, flipped(frame, nonceAt + 24)],
    [`${kind} with a flipped bit in its ciphertext`, flipped(frame, nonceAt + 40)],
    [`${kind} with a flipped last bit`, flipped(frame, frame.length - 1, 7)],
    [`${kind} cut by one byte`, frame.slice(0, -1)],
    [`${kind} with one byte more`, Uint8Array.of(...frame, 0)],
  ]
}

const refusedSessionFrames: readonly (readonly [title: string, frame: Uint8Array])[] = [
  ...damaged('a request', request, 18),
  ...damaged('a response', response, 26),
  ...damaged('an event', event, 2),
  [
    'a request sealed with the key of the other direction',
    sealRequest(primitives, swapped, sessionId, requestNonce, plaintext),
  ],
  ['a request sealed with the key of an answer', requestWith(responseKey)],
  [
    'a response sealed for another request',
    encodeFrame({ kind: 'response', requestNonce: nonce, nonce, box: response.slice(50) }),
  ],
  ['a response sealed with s2c itself', responseWith(keys.s2c)],
  ['a response sealed with the key of events', responseWith(eventKey)],
  [
    'a response sealed with the key of the other direction',
    sealResponse(primitives, swapped, requestNonce, nonce, plaintext),
  ],
  ['an event sealed with s2c itself', eventWith(keys.s2c, new Uint8Array(8))],
  ['an event sealed with the key of a response', eventWith(responseKey, new Uint8Array(8))],
  ['an event without its whole sequence', eventWith(eventKey, new Uint8Array(7))],
  ['an event whose sequence is over 2^53-1', eventWith(eventKey, Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0))],
]

/** `key` seals the box. */
export function sessionVectors() {
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
