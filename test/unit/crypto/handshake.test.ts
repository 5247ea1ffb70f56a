import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { HandshakeRequestFrame, HandshakeResponseFrame } from '../../../crypto/frames/frame.ts'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import type { HandshakeState } from '../../../crypto/frames/handshake.ts'
import {
  deriveSession,
  isCanonicalAgreementKey,
  openHandshakeRequest,
  openHandshakeResponse,
  sealHandshakeRequest,
} from '../../../crypto/frames/handshake.ts'
import { encodeHex } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import {
  basePointFrame,
  greatestCanonicalKey,
  inputs,
  refusedAgreementKeys,
  refusedRequestFrames,
  steps,
} from '../../conformance/vectors/make/handshake.ts'
import { codeOf } from './code-of.ts'
import { littleEndian } from './crafted-signatures.ts'
import { flipped, maxFrame } from './fixed-inputs.ts'

const { agreement, client, service } = inputs

function requestFrame(bytes: Uint8Array): HandshakeRequestFrame {
  const frame = parseFrame(bytes, maxFrame)
  if (frame.kind !== 'handshake-request') throw new Error('not a handshake request')
  return frame
}

function responseFrame(bytes: Uint8Array): HandshakeResponseFrame {
  const frame = parseFrame(bytes, maxFrame)
  if (frame.kind !== 'handshake-response') throw new Error('not a handshake response')
  return frame
}

function seal(): ReturnType<typeof sealHandshakeRequest> {
  return sealHandshakeRequest(
    primitives,
    agreement.publicKey,
    client,
    inputs.requestNonce,
    inputs.requestPlaintext,
  )
}

/** The client's second step, as `miniprogram/client` makes it. */
function openAnswer(bytes: Uint8Array, state: HandshakeState = seal().state): Uint8Array {
  const frame = responseFrame(bytes)
  const keys = deriveSession(primitives, state, client.secretKey, frame.ephemeral, frame.ephemeral)
  return openHandshakeResponse(primitives, keys.responseKey, frame)
}

/** What the service makes of a frame: it looks the key up by kid8, and opens. */
function receive(bytes: Uint8Array): string {
  let reply = 'opened'
  const code = codeOf(() => {
    const frame = parseFrame(bytes, maxFrame)
    if (frame.kind !== 'handshake-request') reply = 'another kind'
    else if (encodeHex(frame.keyHint) !== encodeHex(steps.kid8)) reply = 'another key'
    else openHandshakeRequest(primitives, agreement, frame)
  })
  return code ?? reply
}

it('openHandshakeRequest inverts sealHandshakeRequest for any plaintext and keys', () => {
  const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
    fc.uint8Array({ minLength: length, maxLength: length })
  fc.assert(
    fc.property(
      bytes(32),
      bytes(32),
      bytes(24),
      fc.uint8Array({ maxLength: 600 }),
      (a, b, nonce, plaintext) => {
        const pair = { secretKey: a, publicKey: primitives.x25519PublicKey(a) }
        const ephemeral = { secretKey: b, publicKey: primitives.x25519PublicKey(b) }
        const { frame } = sealHandshakeRequest(primitives, pair.publicKey, ephemeral, nonce, plaintext)
        expect(openHandshakeRequest(primitives, pair, requestFrame(frame)).plaintext).toEqual(plaintext)
      },
    ),
  )
})

it('deriveSession wipes es, so a state gives the keys of one session only', () => {
  const { state } = seal()
  const derive = (): unknown =>
    deriveSession(primitives, state, client.secretKey, service.publicKey, service.publicKey)
  const keys = derive()
  expect(state.es).toEqual(new Uint8Array(32))
  expect(derive()).not.toEqual(keys)
})

it('deriveSession keeps the state when it refuses the key of the peer, so the real response still opens', () => {
  const { state } = seal()
  const [weak = new Uint8Array(0)] = refusedAgreementKeys.map(({ publicKey }) => publicKey)
  expect(codeOf(() => deriveSession(primitives, state, client.secretKey, weak, weak))).toBe('cannot_open')
  expect(openAnswer(steps.responseFrame, state)).toEqual(inputs.responsePlaintext)
})

it('deriveSession binds the keys to the frame, so a changed kid8 gives different keys', () => {
  const { state } = openHandshakeRequest(primitives, agreement, requestFrame(flipped(steps.requestFrame, 2)))
  const keys = deriveSession(primitives, state, service.secretKey, client.publicKey, service.publicKey)
  for (const key of [keys.session.c2s, keys.session.s2c, keys.responseKey]) {
    expect([steps.c2s, steps.s2c, steps.k2]).not.toContainEqual(key)
  }
})

it('openHandshakeRequest gives one error message for every refusal', () => {
  const messages = refusedRequestFrames.map(({ frame }) => {
    try {
      return openHandshakeRequest(primitives, agreement, requestFrame(frame))
    } catch (error) {
      return error instanceof Error ? error.message : error
    }
  })
  expect(new Set(messages)).toEqual(new Set(['the frame cannot be opened']))
})

it('openHandshakeRequest accepts the canonical base point as ephemeral key', () => {
  const { plaintext } = openHandshakeRequest(primitives, agreement, requestFrame(basePointFrame))
  expect(plaintext).toEqual(inputs.requestPlaintext)
})

it('a handshake request with any bit flipped does not open', () => {
  expect(receive(steps.requestFrame)).toBe('opened')
  for (let position = 0; position < steps.requestFrame.length; position++) {
    for (let bit = 0; bit < 8; bit++) {
      const reply = receive(flipped(steps.requestFrame, position, bit))
      const expected =
        position < 2 ? /^(malformed_frame|another kind)$/ : position < 10 ? /^another key$/ : /^cannot_open$/
      expect(reply, `byte ${position}, bit ${bit}`).toMatch(expected)
    }
  }
})

it('a handshake response with any bit flipped does not open', () => {
  for (let position = 2; position < steps.responseFrame.length; position++) {
    for (let bit = 0; bit < 8; bit++) {
      const frame = flipped(steps.responseFrame, position, bit)
      expect(
        codeOf(() => openAnswer(frame)),
        `byte ${position}, bit ${bit}`,
      ).toBe('cannot_open')
    }
  }
})

it('isCanonicalAgreementKey accepts a key that differs from the prime in one byte', () => {
  const prime = Uint8Array.from({ length: 32 }, (_, i) => (i === 0 ? 0xed : i === 31 ? 0x7f : 0xff))
  expect(isCanonicalAgreementKey(prime)).toBe(false)
  for (let place = 0; place < 32; place++) {
    const other = prime.slice()
    other[place] = (other[place] ?? 0) - 1
    expect(isCanonicalAgreementKey(other), `byte ${place}`).toBe(true)
  }
})

it.each([0, 31, 33])('isCanonicalAgreementKey refuses a key of %i bytes', (length) => {
  expect(isCanonicalAgreementKey(new Uint8Array(length).fill(9))).toBe(false)
})

it('isCanonicalAgreementKey accepts the smallest and the greatest encodings below p', () => {
  for (const key of [greatestCanonicalKey, littleEndian(0n), littleEndian((1n << 255n) - 20n)]) {
    expect(isCanonicalAgreementKey(key)).toBe(true)
  }
})

it('isCanonicalAgreementKey refuses the 19 encodings from p to 2^255 - 1 and every encoding with the top bit', () => {
  for (let value = (1n << 255n) - 19n; value < 1n << 255n; value++) {
    expect(isCanonicalAgreementKey(littleEndian(value))).toBe(false)
  }
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (key) => {
      expect(isCanonicalAgreementKey(key)).toBe((key[31] ?? 0) < 0x80)
    }),
  )
})
