/** A verified answer, with what proves it. */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { signatureBase } from 'miniseal-protocol/http-signatures/signature-base'
import { signatureLabel } from 'miniseal-protocol/http-signatures/signed-request'
import type { InnerList, Item } from 'miniseal-protocol/http-signatures/structured-fields'
import { parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { decodeUtf8 } from 'miniseal-protocol/text'
import type { Compression } from './compression.ts'
import { unpacked } from './compression.ts'
import { parseJson } from './json.ts'

/** Both messages as they were signed; any RFC 9421 library can check them again. */
export interface Evidence {
  readonly request: RequestMessage
  /** The exact text that the device signed. */
  readonly base: string
  /** 64 bytes, the device's. */
  readonly signature: Uint8Array
  readonly response: ResponseMessage
  /** When the service made the answer, UNIX seconds by its own clock. */
  readonly answeredAt: number
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Without the coding that they came in, where the channel has `compression`. */
  readonly bytes: Uint8Array
  /** Both messages of the exchange in which the service gave or confirmed this content. */
  readonly evidence: Evidence
  /** The id of this exchange's receipt, base64url; `undefined` where the service keeps none. */
  readonly receipt: string | undefined
  /** Whether the content was here already. */
  readonly isFromCache: boolean
  /** @throws FormatError when the content is not UTF-8. */
  text(): string
  /** @throws FormatError when the content is not JSON. */
  json(): unknown
}

/**
 * @param answeredAt UNIX seconds, from the verified signature
 * @throws ChannelError `unexpected_answer` when the content cannot be unpacked.
 */
export function createAnswer(
  request: RequestMessage,
  response: ResponseMessage,
  answeredAt: number,
  compression: Compression | undefined,
): Answer {
  const headers = headersOf(response.fields)
  const bytes = unpacked(compression, headers['content-encoding'], response.content)
  return {
    status: response.status,
    headers,
    bytes,
    evidence: { ...requestEvidence(request), response, answeredAt },
    receipt: receiptOf(headers['miniseal-receipt']),
    isFromCache: false,
    ...readers(bytes),
  }
}

/** What an answer gave earlier, as `confirming` confirms it. */
export function revalidatedAnswer(
  stored: Pick<Answer, 'status' | 'headers' | 'bytes'>,
  confirming: Answer,
): Answer {
  const { status, headers, bytes } = stored
  return { ...confirming, status, headers, bytes, isFromCache: true, ...readers(bytes) }
}

/**
 * The answer to a request, as a later exchange tells it.
 *
 * @param telling the verified answer that holds it: it is the evidence, and its receipt is the receipt
 */
export function notModifiedAnswer(
  { status, fields, content }: ResponseMessage,
  telling: Answer,
  compression: Compression | undefined,
): Answer {
  const headers = headersOf(fields)
  const bytes = unpacked(compression, headers['content-encoding'], content)
  return { ...telling, status, headers, bytes, ...readers(bytes) }
}

function headersOf(fields: readonly Field[]): Readonly<Record<string, string>> {
  // Without a prototype, a header called `__proto__` is a header.
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of fields) headers[name] = value
  return headers
}

function readers(bytes: Uint8Array): Pick<Answer, 'text' | 'json'> {
  return { text: () => decodeUtf8(bytes), json: () => parseJson(bytes) }
}

/** The leaf hash in the signed field `miniseal-receipt`, a byte sequence. */
function receiptOf(field: string | undefined): string | undefined {
  const digits = /^:([A-Za-z0-9+/]{43})=:$/.exec(field ?? '')?.[1]
  return digits?.replace(/\+/g, '-').replace(/\//g, '_')
}

/** Taken from our own request, not through the checks of the service: they would make the bundle 1 KB larger. */
function requestEvidence(request: RequestMessage): Pick<Evidence, 'request' | 'base' | 'signature'> {
  const input = signatureMember(request, 'signature-input')
  const signature = signatureMember(request, 'signature')
  if (input?.kind !== 'inner-list' || signature?.kind !== 'item' || signature.value.kind !== 'bytes') {
    throw new FormatError('the request is not signed')
  }
  return { request, base: signatureBase(input, { request }), signature: signature.value.value }
}

function signatureMember({ fields }: RequestMessage, name: string): InnerList | Item | undefined {
  return parseDictionary(findField(fields, name) ?? '').get(signatureLabel)
}
