/** The vectors of handshakes and sessions through the public calls, with each implementation of the primitives. */
import { describe, expect, it } from 'vitest'
import { parseFrame } from '../../../crypto/frames/frame.ts'
import {
  agreementKeyHint,
  deriveSession,
  handshakeHash,
  openHandshakeRequest,
  openHandshakeResponse,
  sealHandshakeRequest,
  sealHandshakeResponse,
} from '../../../crypto/frames/handshake.ts'
import {
  openEvent,
  openRequest,
  openResponse,
  sealEvent,
  sealRequest,
  sealResponse,
} from '../../../crypto/frames/session-keys.ts'
import type { Primitives } from '../../../crypto/primitives/primitives.ts'
import { decodeHex as bytes, encodeBase64Url, encodeHex as hex } from '../../../crypto/text.ts'
import { codeOf } from '../../unit/crypto/code-of.ts'
import { maxFrame } from '../../unit/crypto/fixed-inputs.ts'
import { namedImplementations } from '../../unit/crypto/implementations.ts'
import { readVectors } from './read-vectors.ts'

const { handshakes, refused_requests, refused_responses, refused_agreement_keys } = readVectors('handshake')
type HandshakeVector = (typeof handshakes)[number]
const [first] = handshakes
if (first === undefined) throw new Error('handshake.json is empty')

function seal(primitives: Primitives, vector: HandshakeVector): ReturnType<typeof sealHandshakeRequest> {
  const ephemeral = { secretKey: bytes(vector.e_c), publicKey: bytes(vector.e_c_pub) }
  const nonce = bytes(vector.request_nonce)
  return sealHandshakeRequest(
    primitives,
    bytes(vector.s_pub),
    ephemeral,
    nonce,
    bytes(vector.request_plaintext),
  )
}

function openAtService(primitives: Primitives, vector: HandshakeVector, frame: string) {
  const parsed = parseFrame(bytes(frame), maxFrame)
  if (parsed.kind !== 'handshake-request') throw new Error('not a handshake request')
  const agreement = { secretKey: bytes(vector.s), publicKey: bytes(vector.s_pub) }
  return openHandshakeRequest(primitives, agreement, parsed)
}

function openAtClient(primitives: Primitives, vector: HandshakeVector, frame: string) {
  const parsed = parseFrame(bytes(frame), maxFrame)
  if (parsed.kind !== 'handshake-response') throw new Error('not a handshake response')
  const { state } = seal(primitives, vector)
  const keys = deriveSession(primitives, state, bytes(vector.e_c), parsed.ephemeral, parsed.ephemeral)
  return { keys, plaintext: openHandshakeResponse(primitives, keys.responseKey, parsed) }
}

describe.each(namedImplementations)('handshake.json with %s', (_, primitives) => {
  it.each(handshakes)('the login of the handshake $title has the contents of the vector', (vector) => {
    const hash = handshakeHash(primitives, bytes(vector.s_pub), bytes(vector.e_c_pub))
    expect([hex(hash), encodeBase64Url(hash)]).toEqual([vector.k1_salt, vector.handshake])
  })

  it.each(handshakes)('the handshake $title derives the keys of the vector', (vector) => {
    expect(hex(primitives.x25519PublicKey(bytes(vector.s)))).toBe(vector.s_pub)
    expect(hex(primitives.x25519PublicKey(bytes(vector.e_c)))).toBe(vector.e_c_pub)
    expect(hex(primitives.x25519PublicKey(bytes(vector.e_s)))).toBe(vector.e_s_pub)
    expect(hex(primitives.x25519(bytes(vector.e_s), bytes(vector.e_c_pub)))).toBe(vector.ee)
    expect(hex(agreementKeyHint(primitives, bytes(vector.s_pub)))).toBe(vector.kid8)
  })

  it.each(handshakes)('the client sends the frame of the vector: $title', (vector) => {
    const { frame, state } = seal(primitives, vector)
    expect(hex(frame)).toBe(vector.request_frame)
    expect(hex(state.es)).toBe(vector.es)
    expect(hex(state.requestHash)).toBe(vector.request_frame_hash)
    expect(hex(state.plaintextHash)).toBe(vector.request_plaintext_hash)
  })

  it.each(handshakes)('the service responds with the frame of the vector: $title', (vector) => {
    const { plaintext, state } = openAtService(primitives, vector, vector.request_frame)
    expect(hex(plaintext)).toBe(vector.request_plaintext)
    const keys = deriveSession(
      primitives,
      state,
      bytes(vector.e_s),
      bytes(vector.e_c_pub),
      bytes(vector.e_s_pub),
    )
    expect(hex(keys.responseKey)).toBe(vector.k2)
    expect({ c2s: hex(keys.session.c2s), s2c: hex(keys.session.s2c) }).toEqual({
      c2s: vector.c2s,
      s2c: vector.s2c,
    })
    const nonce = bytes(vector.response_nonce)
    const answer = bytes(vector.response_plaintext)
    const frame = sealHandshakeResponse(primitives, keys.responseKey, bytes(vector.e_s_pub), nonce, answer)
    expect(hex(frame)).toBe(vector.response_frame)
  })

  it.each(handshakes)('the client decrypts the response of the vector: $title', (vector) => {
    const { keys, plaintext } = openAtClient(primitives, vector, vector.response_frame)
    expect(hex(plaintext)).toBe(vector.response_plaintext)
    expect(hex(keys.session.c2s)).toBe(vector.c2s)
    expect(hex(keys.session.s2c)).toBe(vector.s2c)
  })

  it.each(refused_requests)('the service refuses a frame $title with $code', ({ frame, code }) => {
    expect(codeOf(() => openAtService(primitives, first, frame))).toBe(code)
  })

  it.each(refused_responses)('the client refuses a response $title with $code', ({ frame, code }) => {
    expect(codeOf(() => openAtClient(primitives, first, frame))).toBe(code)
  })

  it.each(refused_agreement_keys)('the client encrypts for no key $title: $code', ({ s_pub, code }) => {
    expect(codeOf(() => seal(primitives, { ...first, s_pub }))).toBe(code)
  })
})

describe.each(namedImplementations)('session.json with %s', (_, primitives) => {
  const { c2s, s2c, sid, request, response, event, refused } = readVectors('session')
  const keys = { c2s: bytes(c2s), s2c: bytes(s2c) }

  /** Hex of what is in the box. */
  function open(frame: string): string {
    const parsed = parseFrame(bytes(frame), maxFrame)
    if (parsed.kind === 'request') return hex(openRequest(primitives, keys, parsed))
    if (parsed.kind === 'response') return hex(openResponse(primitives, keys, parsed))
    if (parsed.kind !== 'event') throw new Error('not a frame of a session')
    const { sequence, event: eventContent } = openEvent(primitives, keys, parsed)
    return `${sequence} ${hex(eventContent)}`
  }

  it('a request is encrypted and decrypted as in the vector', () => {
    const frame = sealRequest(primitives, keys, bytes(sid), bytes(request.nonce), bytes(request.plaintext))
    expect(hex(frame)).toBe(request.frame)
    expect(open(request.frame)).toBe(request.plaintext)
    expect(request.key).toBe(c2s)
  })

  it('a response is encrypted and decrypted as in the vector', () => {
    const nonces = [bytes(response.request_nonce), bytes(response.nonce)] as const
    expect(hex(sealResponse(primitives, keys, ...nonces, bytes(response.plaintext)))).toBe(response.frame)
    expect(open(response.frame)).toBe(response.plaintext)
    const box = primitives.secretboxSeal(bytes(response.plaintext), nonces[1], bytes(response.key))
    expect(response.frame.endsWith(hex(box))).toBe(true)
  })

  it('an event is encrypted and decrypted as in the vector', () => {
    const sequenced = { sequence: event.sequence, event: bytes(event.event) }
    expect(hex(sealEvent(primitives, keys, bytes(event.nonce), sequenced))).toBe(event.frame)
    expect(open(event.frame)).toBe(`${event.sequence} ${event.event}`)
    const opened = primitives.secretboxOpen(
      bytes(event.frame).slice(26),
      bytes(event.nonce),
      bytes(event.key),
    )
    expect(opened).toEqual(Uint8Array.of(0, 0, 0, 0, 0, 0, 0, event.sequence, ...bytes(event.event)))
  })

  it.each(refused)('a frame is not decrypted when $title: $code', ({ frame, code }) => {
    expect(codeOf(() => open(frame))).toBe(code)
  })
})
