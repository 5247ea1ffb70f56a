import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Frame } from '../../../crypto/frames/frame.ts'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import type { SequencedEvent } from '../../../crypto/frames/session-keys.ts'
import {
  openEvent,
  openRequest,
  openResponse,
  sealEvent,
  sealRequest,
  sealResponse,
} from '../../../crypto/frames/session-keys.ts'
import { encodeHex } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import {
  event,
  keys,
  nonce,
  request,
  requestNonce,
  response,
  sessionId,
} from '../../conformance/vectors/make/session.ts'
import { codeOf } from './code-of.ts'
import { flipped, maxFrame } from './fixed-inputs.ts'

function open(frame: Frame): Uint8Array | SequencedEvent {
  switch (frame.kind) {
    case 'request':
      return openRequest(primitives, keys, frame)
    case 'response':
      return openResponse(primitives, keys, frame)
    case 'event':
      return openEvent(primitives, keys, frame)
    default:
      throw new Error(`not a frame of a session: ${frame.kind}`)
  }
}

const openBytes = (bytes: Uint8Array): Uint8Array | SequencedEvent => open(parseFrame(bytes, maxFrame))

/** What an end that waits for this `kind` makes of a frame: it looks up the session or the request, and opens. */
function receive(kind: Frame['kind'], bytes: Uint8Array): string {
  let reply = 'opened'
  const code = codeOf(() => {
    const frame = parseFrame(bytes, maxFrame)
    const isMine =
      (frame.kind === 'request' && encodeHex(frame.sessionId) === encodeHex(sessionId)) ||
      (frame.kind === 'response' && encodeHex(frame.requestNonce) === encodeHex(requestNonce)) ||
      frame.kind === 'event'
    if (frame.kind !== kind) reply = 'another kind'
    else if (!isMine) reply = 'of another session'
    else open(frame)
  })
  return code ?? reply
}

it('session frames open to the sealed content', () => {
  const length = (bytes: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: bytes, maxLength: bytes })
  const session = fc.record({ c2s: length(32), s2c: length(32) })
  fc.assert(
    fc.property(
      session,
      length(16),
      length(24),
      length(24),
      fc.uint8Array({ maxLength: 600 }),
      (k, id, n, m, text) => {
        const requestFrame = parseFrame(sealRequest(primitives, k, id, n, text), maxFrame)
        expect(requestFrame).toMatchObject({ kind: 'request', sessionId: id, nonce: n })
        expect(requestFrame.kind === 'request' && openRequest(primitives, k, requestFrame)).toEqual(text)
        const answer = parseFrame(sealResponse(primitives, k, n, m, text), maxFrame)
        expect(answer).toMatchObject({ kind: 'response', requestNonce: n, nonce: m })
        expect(answer.kind === 'response' && openResponse(primitives, k, answer)).toEqual(text)
        const eventFrame = parseFrame(
          sealEvent(primitives, k, n, { sequence: text.length, event: text }),
          maxFrame,
        )
        expect(eventFrame.kind === 'event' && openEvent(primitives, k, eventFrame)).toEqual({
          sequence: text.length,
          event: text,
        })
      },
    ),
  )
})

it('an event frame carries the sequence 2^53-1', () => {
  const last = { sequence: Number.MAX_SAFE_INTEGER, event: new Uint8Array(0) }
  expect(openBytes(sealEvent(primitives, keys, nonce, last))).toEqual(last)
})

it.each([
  ['request', request, 18],
  ['response', response, 26],
  ['event', event, 2],
] as const)('a %s frame with any bit flipped does not open', (kind, frame, nonceAt) => {
  expect(receive(kind, frame)).toBe('opened')
  for (let position = 0; position < frame.length; position++) {
    for (let bit = 0; bit < 8; bit++) {
      const expected =
        position < 2
          ? /^(malformed_frame|another kind)$/
          : position < nonceAt
            ? /^of another session$/
            : /^cannot_open$/
      expect(receive(kind, flipped(frame, position, bit)), `byte ${position}, bit ${bit}`).toMatch(expected)
    }
  }
})
