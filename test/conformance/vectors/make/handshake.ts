/** handshake.json: the key schedule with every value on the way, and handshakes that either end refuses. */
import { decodeHex, encodeBase64Url, encodeHex } from '../../../../crypto/text.ts'
import { agreementPair, answered, fixed, signed } from '../../../unit/crypto/fixed-inputs.ts'
import type { HandshakeInputs } from '../../../unit/crypto/handmade-handshake.ts'
import { handshakeSteps } from '../../../unit/crypto/handmade-handshake.ts'
import {
  inputs,
  refusedAgreementKeys,
  refusedRequestFrames,
  refusedResponseFrames,
} from '../../../unit/crypto/refused-handshakes.ts'
import { paddedRequest, paddedResponse } from './json.ts'

/** Hex throughout. Names are those of the protocol, section 4; `s`, `e_c` and `e_s` are the secret keys. */
export interface HandshakeVector {
  readonly title: string
  readonly s: string
  readonly s_pub: string
  readonly e_c: string
  readonly e_c_pub: string
  readonly e_s: string
  readonly e_s_pub: string
  readonly kid8: string
  readonly es: string
  readonly k1_salt: string
  /** b64u of `k1_salt`: what a login that travels in this frame has as its member of this name. */
  readonly handshake: string
  readonly k1: string
  readonly request_nonce: string
  readonly request_plaintext: string
  readonly request_frame: string
  readonly request_frame_hash: string
  readonly request_plaintext_hash: string
  readonly ee: string
  readonly th: string
  readonly k2: string
  readonly c2s: string
  readonly s2c: string
  readonly response_nonce: string
  readonly response_plaintext: string
  readonly response_frame: string
}

export interface HandshakeVectors {
  readonly handshakes: readonly HandshakeVector[]
  /** For the service of the first handshake. */
  readonly refused_requests: readonly RefusedFrame[]
  /** For the client of the first handshake. */
  readonly refused_responses: readonly RefusedFrame[]
  /** For any client: it does not seal for such a key. */
  readonly refused_agreement_keys: readonly {
    readonly title: string
    readonly code: string
    readonly s_pub: string
  }[]
}

interface RefusedFrame {
  readonly title: string
  readonly code: string
  readonly frame: string
}

export function handshakeVectors(): HandshakeVectors {
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

function refused({ title, frame }: { readonly title: string; readonly frame: Uint8Array }): RefusedFrame {
  return { title, code: 'cannot_open', frame: encodeHex(frame) }
}

function vectorOf(title: string, from: HandshakeInputs): HandshakeVector {
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
