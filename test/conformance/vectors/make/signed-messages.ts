/** request.json and response.json: signed messages, with the text that is signed; refusals.json: the verdict on others. */

import type { RequestMessage, ResponseMessage } from '../../../../crypto/frames/binary-http.ts'
import { findField } from '../../../../crypto/frames/binary-http.ts'
import { signatureBase } from '../../../../crypto/http-signatures/signature-base.ts'
import { parseRequestSignature } from '../../../../crypto/http-signatures/signed-request.ts'
import { parseDictionary } from '../../../../crypto/http-signatures/structured-fields.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import {
  answered,
  answers,
  device,
  fixed,
  now,
  service,
  serviceKeys,
  signed,
  unsigned,
  window,
} from '../../../unit/crypto/fixed-inputs.ts'
import { jsonRequest, jsonResponse, jsonSigner, paddedRequest, paddedResponse } from './json.ts'
import { acceptedRequests, refusedRequests, requestsOfOtherPaths } from './refused-requests.ts'
import { acceptedResponses, refusedResponses } from './refused-responses.ts'

type Name = keyof typeof unsigned

/** `base` is the text that is signed: ASCII, lines end with LF. `plaintext` is what is sealed: padded Binary HTTP. */
export function requestVectors() {
  const names = Object.keys(unsigned) as Name[]
  return {
    device: jsonSigner(device),
    requests: names.map((title) => {
      const message = signed(title)
      const { base, signature } = parseRequestSignature(message)
      return {
        title,
        message: jsonRequest(unsigned[title]),
        created: now,
        nonce: encodeHex(fixed(`${title} nonce`, 16)),
        base,
        signature: encodeHex(signature),
        signed: jsonRequest(message),
        plaintext: paddedRequest(message),
      }
    }),
  }
}

const pairs: readonly (readonly [keyof typeof answers, Name | undefined])[] = [
  ['created', 'transfer'],
  ['created', 'everything'],
  ['empty', 'search'],
  ['problem', 'read'],
  ['problem', undefined],
]

/** `request` is the title of a request of request.json, null when there is none to bind to. */
export function responseVectors() {
  return {
    service: jsonSigner(service),
    responses: pairs.map(([name, to]) => {
      const request = to === undefined ? undefined : signed(to)
      const message = answered(name, request)
      return {
        title: `${name} to ${to ?? 'nothing that could be read'}`,
        request: to ?? null,
        message: jsonResponse(answers[name]),
        created: now + 1,
        ...signatureOf(message, request),
        signed: jsonResponse(message),
        plaintext: paddedResponse(message),
      }
    }),
  }
}

function signatureOf(response: ResponseMessage, request: RequestMessage | undefined) {
  const member = (name: string) => parseDictionary(findField(response.fields, name) ?? '').get('sig')
  const input = member('signature-input')
  const signature = member('signature')
  if (input?.kind !== 'inner-list' || signature?.kind !== 'item' || signature.value.kind !== 'bytes') {
    throw new Error('not a signature')
  }
  const context = request === undefined ? { response } : { response, request }
  return { base: signatureBase(input, context), signature: encodeHex(signature.value.value) }
}

export function refusalVectors() {
  return {
    /** The clock of the service, UNIX seconds. */
    now,
    window,
    device: { keyid: device.keyid, public_key: encodeHex(device.publicKey) },
    requests: [...acceptedRequests, ...refusedRequests, ...requestsOfOtherPaths],
    /** The keys in the client's configuration. */
    service_keys: serviceKeys.map(({ kid, publicKey }) => ({ kid, public_key: encodeHex(publicKey) })),
    responses: [...acceptedResponses, ...refusedResponses],
  }
}
