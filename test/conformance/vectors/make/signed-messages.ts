/** request.json and response.json: signed messages, with the text that is signed. */

import type { RequestMessage, ResponseMessage } from '../../../../crypto/frames/binary-http.ts'
import { findField } from '../../../../crypto/frames/binary-http.ts'
import { signatureBase } from '../../../../crypto/http-signatures/signature-base.ts'
import { parseRequestSignature } from '../../../../crypto/http-signatures/signed-request.ts'
import { parseDictionary } from '../../../../crypto/http-signatures/structured-fields.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import type { FixedSigner } from '../../../unit/crypto/fixed-inputs.ts'
import {
  answered,
  answers,
  device,
  fixed,
  now,
  service,
  signed,
  unsigned,
} from '../../../unit/crypto/fixed-inputs.ts'
import type { JsonRequest, JsonResponse } from './json.ts'
import { jsonRequest, jsonResponse, paddedRequest, paddedResponse } from './json.ts'

/** Keys as hex; `keyid` is the thumbprint of the public key. */
export interface JsonSigner {
  readonly seed: string
  readonly public_key: string
  readonly keyid: string
}

interface SignedVector<M> {
  readonly title: string
  /** Before it is signed. */
  readonly message: M
  /** UNIX seconds. */
  readonly created: number
  /** The text that is signed: ASCII, lines end with LF. */
  readonly base: string
  /** Hex. */
  readonly signature: string
  readonly signed: M
  /** Hex: `signed` in Binary HTTP, padded, as it is sealed. */
  readonly plaintext: string
}

export interface RequestVectors {
  readonly device: JsonSigner
  /** `nonce` is the parameter before base64url, as hex. */
  readonly requests: readonly (SignedVector<JsonRequest> & { readonly nonce: string })[]
}

export interface ResponseVectors {
  readonly service: JsonSigner
  /** `request` is the title of a request of request.json; null when there is none to bind to. */
  readonly responses: readonly (SignedVector<JsonResponse> & { readonly request: string | null })[]
}

export function jsonSigner({ seed, publicKey, keyid }: FixedSigner): JsonSigner {
  return { seed: encodeHex(seed), public_key: encodeHex(publicKey), keyid }
}

type Name = keyof typeof unsigned

export function requestVectors(): RequestVectors {
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

export function responseVectors(): ResponseVectors {
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

function signatureOf(
  response: ResponseMessage,
  request: RequestMessage | undefined,
): { readonly base: string; readonly signature: string } {
  const member = (name: string) => parseDictionary(findField(response.fields, name) ?? '').get('sig')
  const input = member('signature-input')
  const signature = member('signature')
  if (input?.kind !== 'inner-list' || signature?.kind !== 'item' || signature.value.kind !== 'bytes') {
    throw new Error('not a signature')
  }
  const context = request === undefined ? { response } : { response, request }
  return { base: signatureBase(input, context), signature: encodeHex(signature.value.value) }
}
