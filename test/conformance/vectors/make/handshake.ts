/**
 * handshake.json: the key schedule with every value, and handshakes that an end must refuse, each for one reason only: every
 * other box opens.
 */

import { decodeHex, encodeBase64Url, encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { littleEndian, smallOrderInputs } from '../../../unit/crypto/crafted-signatures.ts'
import { agreementPair, answered, fixed, flipped, signed } from '../../../unit/crypto/fixed-inputs.ts'
import type { HandshakeInputs } from '../../../unit/crypto/handmade-handshake.ts'
import { handshakeSteps } from '../../../unit/crypto/handmade-handshake.ts'
import { paddedRequest, paddedResponse } from './json.ts'

export const inputs: HandshakeInputs = {
  agreement: agreementPair('agreement key'),
  client: agreementPair('ephemeral key of the client'),
  service: agreementPair('ephemeral key of the service'),
  requestNonce: fixed('nonce of the handshake request', 24),
  requestPlaintext: encodeUtf8('who I am'.padEnd(256, '\0')),
  responseNonce: fixed('nonce of the handshake response', 24),
  responsePlaintext: encodeUtf8('who you are'.padEnd(256, '\0')),
}

export const steps = handshakeSteps(inputs)

const fieldPrime = (1n << 255n) - 19n
const zero = new Uint8Array(32)
/** u = 9 is the base point, so X25519 with it gives the public key of the peer: anyone could encrypt with it. */
const basePoint = littleEndian(9n)
const basePointPlusPrime = littleEndian(fieldPrime + 9n)

function topBit(publicKey: Uint8Array): Uint8Array {
  return flipped(publicKey, 31, 7)
}

/** Public keys that both ends refuse, with the secret that X25519 gives for them, if it is asked. */
function unacceptable(
  owner: Uint8Array,
  peer: Uint8Array,
  shared: Uint8Array,
): readonly [string, Uint8Array, Uint8Array][] {
  return [
    ...smallOrderInputs.map((u): [string, Uint8Array, Uint8Array] => [
      `of small order ${encodeHex(u)}`,
      u,
      zero,
    ]),
    ['that is the base point plus p', basePointPlusPrime, owner],
    ['with its top bit set', topBit(peer), shared],
  ]
}

/** A frame for the service (0x01) or for the client (0x02). */
export interface JudgedFrame {
  readonly title: string
  readonly frame: Uint8Array
}

const other = agreementPair('another agreement key')
const forOther = handshakeSteps({ ...inputs, agreement: other }).requestFrame
/** Behind version, type and kid8: e_c 32, nonce 24, tag 16. */
const inRequest = { ephemeral: 10, nonce: 42, tag: 66, text: 82 } as const
/** Behind version and type: e_s 32, nonce 24, tag 16. */
const inResponse = { ephemeral: 2, nonce: 34, tag: 58, text: 74 } as const

export const refusedRequestFrames: readonly JudgedFrame[] = [
  ...Object.entries(inRequest).map(([part, at]) => ({
    title: `with a flipped bit in its ${part}`,
    frame: flipped(steps.requestFrame, at),
  })),
  { title: 'with a flipped last bit', frame: flipped(steps.requestFrame, steps.requestFrame.length - 1, 7) },
  { title: 'cut by one byte', frame: steps.requestFrame.slice(0, -1) },
  { title: 'with one byte more', frame: Uint8Array.of(...steps.requestFrame, 0) },
  { title: 'with a box of its tag only', frame: steps.requestFrame.slice(0, inRequest.text) },
  {
    title: 'made for another agreement key',
    frame: Uint8Array.of(1, 1, ...steps.kid8, ...forOther.slice(10)),
  },
  { title: 'sealed with es itself', frame: handshakeSteps(inputs, { k1: ({ es }) => es }).requestFrame },
  { title: 'sealed with K2', frame: handshakeSteps(inputs, { k1: () => steps.k2 }).requestFrame },
  ...unacceptable(inputs.agreement.publicKey, inputs.client.publicKey, steps.es).map(([title, key, es]) => ({
    title: `by an ephemeral key ${title}`,
    frame: handshakeSteps(inputs, { clientPublic: key, es }).requestFrame,
  })),
]

/** Sealed for the base point itself: legal, and nothing but a client that throws its secrecy away. */
export const basePointFrame: Uint8Array = handshakeSteps(inputs, {
  clientPublic: basePoint,
  es: inputs.agreement.publicKey,
}).requestFrame

const refusedResponseFrames: readonly JudgedFrame[] = [
  ...Object.entries(inResponse).map(([part, at]) => ({
    title: `with a flipped bit in its ${part}`,
    frame: flipped(steps.responseFrame, at),
  })),
  {
    title: 'with a flipped last bit',
    frame: flipped(steps.responseFrame, steps.responseFrame.length - 1, 7),
  },
  { title: 'cut by one byte', frame: steps.responseFrame.slice(0, -1) },
  { title: 'with one byte more', frame: Uint8Array.of(...steps.responseFrame, 0) },
  {
    title: 'to another login message',
    frame: handshakeSteps({ ...inputs, requestPlaintext: encodeUtf8('who else'.padEnd(256, '\0')) })
      .responseFrame,
  },
  {
    title: 'to the same message in another frame',
    frame: handshakeSteps({ ...inputs, requestNonce: fixed('another nonce', 24) }).responseFrame,
  },
  {
    title: 'that hashes another login message',
    frame: handshakeSteps(inputs, { hashedPlaintext: zero }).responseFrame,
  },
  { title: 'by another agreement key', frame: handshakeSteps({ ...inputs, agreement: other }).responseFrame },
  { title: 'without es in its keys', frame: handshakeSteps(inputs, { es: zero }).responseFrame },
  { title: 'sealed with K1', frame: handshakeSteps(inputs, { k2: ({ k1 }) => k1 }).responseFrame },
  { title: 'sealed with s2c', frame: handshakeSteps(inputs, { k2: () => steps.s2c }).responseFrame },
  { title: 'sealed with ee itself', frame: handshakeSteps(inputs, { k2: ({ ee }) => ee }).responseFrame },
  ...unacceptable(inputs.client.publicKey, inputs.service.publicKey, steps.ee).map(([title, key, ee]) => ({
    title: `by an ephemeral key ${title}`,
    frame: handshakeSteps(inputs, { servicePublic: key, ee }).responseFrame,
  })),
]

/** Agreement keys that a client must not seal for. */
export const refusedAgreementKeys: readonly { readonly title: string; readonly publicKey: Uint8Array }[] = [
  ...unacceptable(zero, inputs.agreement.publicKey, zero).map(([title, publicKey]) => ({ title, publicKey })),
  { title: 'that is p', publicKey: littleEndian(fieldPrime) },
  { title: 'that is p + 18, the last below 2^255', publicKey: littleEndian(fieldPrime + 18n) },
  { title: 'of 31 bytes', publicKey: inputs.agreement.publicKey.slice(0, 31) },
  { title: 'of 33 bytes', publicKey: Uint8Array.of(...inputs.agreement.publicKey, 0) },
]

/** The greatest acceptable encoding below p. */
export const greatestCanonicalKey: Uint8Array = littleEndian(fieldPrime - 2n)

/**
 * `refused_requests` are for the service of the first handshake, `refused_responses` for its client, and
 * `refused_agreement_keys` for any client.
 */
export function handshakeVectors() {
  const request = signed('transfer')
  const real: HandshakeInputs = {
    agreement: agreementPair('coming agreement key'),
    client: agreementPair('second ephemeral key of the client'),
    service: agreementPair('second ephemeral key of the service'),
    requestNonce: fixed('second nonce of the handshake request', 24),
    requestPlaintext: decodeHex(paddedRequest(request)),
    responseNonce: fixed('second nonce of the handshake response', 24),
    responsePlaintext: decodeHex(paddedResponse(answered('created', request))),
  }
  return {
    handshakes: [vectorOf('plain text of 256 bytes', inputs), vectorOf('signed messages', real)],
    refused_requests: refusedRequestFrames.map(refused),
    refused_responses: refusedResponseFrames.map(refused),
    refused_agreement_keys: refusedAgreementKeys.map(({ title, publicKey }) => {
      return { title, code: 'cannot_open', s_pub: encodeHex(publicKey) }
    }),
  }
}

function refused({ title, frame }: JudgedFrame) {
  return { title, code: 'cannot_open', frame: encodeHex(frame) }
}

/** Names are those of section 4 of the protocol; `s`, `e_c` and `e_s` are the secret keys. */
function vectorOf(title: string, from: HandshakeInputs) {
  const steps = handshakeSteps(from)
  const hex = encodeHex
  return {
    title,
    s: hex(from.agreement.secretKey),
    s_pub: hex(from.agreement.publicKey),
    e_c: hex(from.client.secretKey),
    e_c_pub: hex(from.client.publicKey),
    e_s: hex(from.service.secretKey),
    e_s_pub: hex(from.service.publicKey),
    kid8: hex(steps.kid8),
    es: hex(steps.es),
    k1_salt: hex(steps.k1Salt),
    handshake: encodeBase64Url(steps.k1Salt),
    k1: hex(steps.k1),
    request_nonce: hex(from.requestNonce),
    request_plaintext: hex(from.requestPlaintext),
    request_frame: hex(steps.requestFrame),
    request_frame_hash: hex(steps.requestFrameHash),
    request_plaintext_hash: hex(steps.requestPlaintextHash),
    ee: hex(steps.ee),
    th: hex(steps.th),
    k2: hex(steps.k2),
    c2s: hex(steps.c2s),
    s2c: hex(steps.s2c),
    response_nonce: hex(from.responseNonce),
    response_plaintext: hex(from.responsePlaintext),
    response_frame: hex(steps.responseFrame),
  }
}
