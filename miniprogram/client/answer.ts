/** A verified answer and its evidence. */

import { FormatError } from 'miniseal-protocol/errors'
import type { Field, RequestMessage, ResponseMessage } from 'miniseal-protocol/frames/binary-http'
import { findField } from 'miniseal-protocol/frames/binary-http'
import { signatureBase } from 'miniseal-protocol/http-signatures/signature-base'
import { signatureLabel } from 'miniseal-protocol/http-signatures/signed-request'
import type { InnerList, Item } from 'miniseal-protocol/http-signatures/structured-fields'
import { parseDictionary } from 'miniseal-protocol/http-signatures/structured-fields'
import { parseJson } from 'miniseal-protocol/json'
import { decodeUtf8 } from 'miniseal-protocol/text'
import type { Compression } from './compression.ts'
import { decompress } from './compression.ts'
import { ChannelError } from './errors.ts'

/** Both messages as signed. Any RFC 9421 implementation can verify them again. */
export interface Evidence {
  readonly request: RequestMessage
  /** The signature base (RFC 9421, section 2.5) that the device signed. */
  readonly base: string
  /** The device's Ed25519 signature, 64 bytes. */
  readonly signature: Uint8Array
  readonly response: ResponseMessage
  /** Signing time of the response, UNIX seconds by the service's clock. */
  readonly answeredAt: number
}

export interface Answer {
  readonly status: number
  /** Field names are lower-case. */
  readonly headers: Readonly<Record<string, string>>
  /** Decoded content when the channel has `compression`; otherwise as received. */
  readonly bytes: Uint8Array
  /** The exchange in which the service sent or revalidated this content. */
  readonly evidence: Evidence
  /** Receipt id of this exchange, base64url; `undefined` when the service issues none. */
  readonly receipt: string | undefined
  /** Whether the content is from the client's cache. */
  readonly isFromCache: boolean
  /** @throws FormatError when the content is not UTF-8. */
  text(): string
  /** @throws FormatError when the content is not JSON. */
  json(): unknown
}

/**
 * @param answeredAt signing time from the verified signature, UNIX seconds
 * @throws ChannelError `unexpected_answer` when the content cannot be decompressed.
 */
export function createAnswer(
  request: RequestMessage,
  response: ResponseMessage,
  answeredAt: number,
  compression: Compression | undefined,
): Answer {
  const headers = headersOf(response.fields)
  const bytes = decompress(compression, headers['content-encoding'], response.content)
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

/** A cached answer that `confirming`, a `304`, revalidates. */
export function revalidatedAnswer(
  stored: Pick<Answer, 'status' | 'headers' | 'bytes'>,
  confirming: Answer,
): Answer {
  const { status, headers, bytes } = stored
  return { ...confirming, status, headers, bytes, isFromCache: true, ...readers(bytes) }
}

/**
 * The stored answer to an earlier request, embedded in a later one.
 *
 * @param container the verified answer that contains it and provides the evidence and the receipt
 */
export function embeddedAnswer(
  { status, fields, content }: ResponseMessage,
  container: Answer,
  compression: Compression | undefined,
): Answer {
  const headers = headersOf(fields)
  const bytes = decompress(compression, headers['content-encoding'], content)
  return { ...container, status, headers, bytes, ...readers(bytes) }
}

/** @throws ChannelError `unexpected_answer` for a status of 300 or above. */
export function expectSuccess(answer: Answer): Answer {
  if (answer.status < 300) return answer
  throw new ChannelError('unexpected_answer', 'unexpected status', { status: answer.status })
}

function headersOf(fields: readonly Field[]): Readonly<Record<string, string>> {
  // No prototype: `__proto__` is an ordinary field name here.
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of fields) headers[name] = value
  return headers
}

function readers(bytes: Uint8Array): Pick<Answer, 'text' | 'json'> {
  return { text: () => decodeUtf8(bytes), json: () => parseJson(decodeUtf8(bytes)) }
}

/** The leaf hash in the signed field `miniseal-receipt`, a byte sequence (RFC 9651). */
function receiptOf(field: string | undefined): string | undefined {
  const digits = /^:([A-Za-z0-9+/]{43})=:$/.exec(field ?? '')?.[1]
  return digits?.replace(/\+/g, '-').replace(/\//g, '_')
}

/** Reads the client's own request; the service's strict verifier would add 1 KB to the bundle. */
function requestEvidence(request: RequestMessage): Pick<Evidence, 'request' | 'base' | 'signature'> {
  const input = signatureMember(request, 'signature-input')
  const signature = signatureMember(request, 'signature')
  if (input?.kind !== 'inner-list' || signature?.kind !== 'item' || signature.value.kind !== 'bytes') {
    throw new FormatError('unsigned request')
  }
  return { request, base: signatureBase(input, { request }), signature: signature.value.value }
}

function signatureMember({ fields }: RequestMessage, name: string): InnerList | Item | undefined {
  return parseDictionary(findField(fields, name) ?? '').get(signatureLabel)
}
