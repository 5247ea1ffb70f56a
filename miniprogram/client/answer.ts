/** A verified answer, with what proves it. */
import type { RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { parseRequestSignature } from '../../crypto/signed-request.ts'
import { decodeUtf8 } from '../../crypto/text.ts'
import { parseJson } from './json.ts'

/** Both messages as they were signed; any RFC 9421 library can check them again. */
export interface Evidence {
  readonly request: RequestMessage
  /** The exact text that the device signed. */
  readonly base: string
  /** 64 bytes, the device's. */
  readonly signature: Uint8Array
  /** The thumbprint of the device key. */
  readonly keyid: string
  readonly response: ResponseMessage
  /** When the service made the answer, UNIX seconds by its own clock. */
  readonly answeredAt: number
}

export interface Answer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Uint8Array
  readonly evidence: Evidence
  /** @throws FormatError when the content is not UTF-8. */
  text(): string
  /** @throws FormatError when the content is not JSON. */
  json(): unknown
}

/** @param answeredAt UNIX seconds, from the verified signature */
export function createAnswer(request: RequestMessage, response: ResponseMessage, answeredAt: number): Answer {
  const { base, signature, keyid } = parseRequestSignature(request)
  // Without a prototype, a header called `__proto__` is a header.
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of response.fields) headers[name] = value
  return {
    status: response.status,
    headers,
    bytes: response.content,
    evidence: { request, base, signature, keyid, response, answeredAt },
    text: () => decodeUtf8(response.content),
    json: () => parseJson(response.content),
  }
}
