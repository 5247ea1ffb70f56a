/** Binary HTTP that the library's own writer refuses. */

import { concatBytes } from '../../../crypto/bytes.ts'
import type { RequestMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeRequest } from '../../../crypto/frames/binary-http.ts'
import { encodeVarint } from '../../../crypto/frames/varint.ts'
import { encodeAscii } from '../../../crypto/text.ts'

/** A request with any ASCII as its path; everything else is checked as ever. */
export function encodeWithAnyPath(request: RequestMessage): Uint8Array {
  const vector = (text: string): Uint8Array => concatBytes(encodeVarint(text.length), encodeAscii(text))
  const { method, scheme, authority, path } = request
  const start = concatBytes(encodeVarint(0), vector(method), vector(scheme), vector(authority))
  const usual = encodeRequest({ ...request, path: '/' })
  return concatBytes(start, vector(path), usual.subarray(start.length + vector('/').length))
}
