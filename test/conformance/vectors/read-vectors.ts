import { readFileSync } from 'node:fs'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { decodeHex } from '../../../crypto/text.ts'
import type { makers, VectorName } from './generate.ts'
import { vectorPath } from './generate.ts'
import type { JsonRequest, JsonResponse } from './make/json.ts'

/** The committed file, read as any other language would. */
export function readVectors<N extends VectorName>(name: N): ReturnType<(typeof makers)[N]> {
  return JSON.parse(readFileSync(vectorPath(name), 'utf8')) as ReturnType<(typeof makers)[N]>
}

export function requestOf(json: JsonRequest): RequestMessage {
  return { ...json, content: decodeHex(json.content) }
}

export function responseOf(json: JsonResponse): ResponseMessage {
  return { ...json, content: decodeHex(json.content) }
}
