/** A verified answer, with what proves it. */
import type { RequestMessage, ResponseMessage } from '../../crypto/binary-http.ts'
import { findField } from '../../crypto/binary-http.ts'
import { FormatError } from '../../crypto/errors.ts'
import { signatureBase } from '../../crypto/signature-base.ts'
import { signatureLabel } from '../../crypto/signed-request.ts'
import type { InnerList, Item } from '../../crypto/structured-fields.ts'
import { parseDictionary } from '../../crypto/structured-fields.ts'
import { decodeUtf8 } from '../../crypto/text.ts'
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
  readonly bytes: Uint8Array
  readonly evidence: Evidence
  /** @throws FormatError when the content is not UTF-8. */
  text(): string
  /** @throws FormatError when the content is not JSON. */
  json(): unknown
}

/** @param answeredAt UNIX seconds, from the verified signature */
export function createAnswer(request: RequestMessage, response: ResponseMessage, answeredAt: number): Answer {
  // Without a prototype, a header called `__proto__` is a header.
  const headers: Record<string, string> = Object.create(null)
  for (const [name, value] of response.fields) headers[name] = value
  return {
    status: response.status,
    headers,
    bytes: response.content,
    evidence: { ...requestEvidence(request), response, answeredAt },
    text: () => decodeUtf8(response.content),
    json: () => parseJson(response.content),
  }
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
