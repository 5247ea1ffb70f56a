/** The fields of signatures on messages, and whole signed messages: requests, answers, pushes, what the gateway adds. */

import { FormatError, ProtocolError } from '../../../crypto/errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import {
  encodeRequest,
  encodeResponse,
  findField,
  parseRequest,
  parseResponse,
} from '../../../crypto/frames/binary-http.ts'
import { parseGatewaySignature, signForBackend } from '../../../crypto/http-signatures/gateway-signature.ts'
import {
  assertContentDigest,
  assertSignature,
  parsePushSignature,
  parseRequestSignature,
} from '../../../crypto/http-signatures/signed-request.ts'
import { verifyResponse } from '../../../crypto/http-signatures/signed-response.ts'
import { decodeHex } from '../../../crypto/text.ts'
import { readIdempotencyKey } from '../../../service/channel/idempotency.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { ProblemError } from '../../../service/problems/problem-error.ts'
import { readVectors } from '../../conformance/vectors/read-vectors.ts'
import { answered, device, now, service, serviceKeys, signed } from '../crypto/fixed-inputs.ts'
import { Broken, binaryTarget, type Target, textTarget } from './target.ts'

/** Fields that an attacker writes, one a line. */
const written = ['signature-input', 'signature', 'content-digest', 'idempotency-key', 'content-type']

function textOfFields(message: { readonly fields: readonly Field[] }): string {
  return written.map((name) => findField(message.fields, name) ?? '').join('\n')
}

function withFields(message: RequestMessage, text: string): RequestMessage {
  const lines = text.split('\n')
  const given = written.flatMap((name, index): Field[] => {
    const value = lines[index] ?? ''
    return value === '' ? [] : [[name, value]]
  })
  return { ...message, fields: [...message.fields.filter(([name]) => !written.includes(name)), ...given] }
}

const transfer = signed('transfer')
const claims = { user: 'u_1', device: device.keyid, session: 's', app: 'wx1', acr: 'session' } as const
const forwarded = signForBackend(
  primitives,
  transfer,
  claims,
  device.publicKey,
  service,
  now,
  new Uint8Array(16),
)
const push =
  'push=("@method" "@authority" "@path" "content-type" "content-digest");created=1764000000;nonce="AAAAAAAAAAAAAAAAAAAAAA";keyid="orders";tag="miniseal-push"'
const refusals = readVectors('refusals')

/** What is believed was signed: the signed text is what the message says now. */
function verifyRequest(message: RequestMessage): void {
  const signature = parseRequestSignature(message)
  assertContentDigest(primitives, message)
  assertSignature(primitives, signature, device.publicKey)
  if (!signature.base.includes(`"@path": ${message.path.split('?')[0]}\n`))
    throw new Broken('another path was signed')
}

function verifyAnswer(response: ResponseMessage): void {
  verifyResponse(primitives, response, transfer, serviceKeys)
}

export const signatureTargets: readonly Target[] = [
  textTarget(
    'request-signature',
    [ProtocolError],
    [textOfFields(transfer), textOfFields(signed('everything')), textOfFields(signed('read'))],
    (text) => parseRequestSignature(withFields(transfer, text)),
  ),
  textTarget(
    'push-signature',
    [ProtocolError],
    [
      `${push}\npush=:${'A'.repeat(86)}==:\nsha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:\n\napplication/json`,
    ],
    (text) => parsePushSignature(withFields(transfer, text)),
  ),
  textTarget(
    'gateway-signature',
    [ProtocolError],
    [textOfFields(forwarded), textOfFields(transfer)],
    (text) => parseGatewaySignature(withFields(forwarded, text)),
  ),
  textTarget(
    'idempotency-key',
    [ProtocolError, ProblemError],
    ['\n\n\n"order-1"', '\n\n\n"a";b', '\n\n\ntoken'],
    (text) => readIdempotencyKey(withFields(transfer, text)),
  ),
  binaryTarget(
    'signed-request',
    [FormatError, ProtocolError],
    [encodeRequest(transfer), ...refusals.requests.map(({ encoded }) => decodeHex(encoded))],
    (bytes) => verifyRequest(parseRequest(bytes)),
  ),
  binaryTarget(
    'signed-answer',
    [FormatError, ProtocolError],
    [
      encodeResponse(answered('created', transfer)),
      encodeResponse(answered('empty', transfer)),
      ...refusals.responses.map(({ encoded }) => decodeHex(encoded)),
    ],
    (bytes) => verifyAnswer(parseResponse(bytes)),
  ),
]
