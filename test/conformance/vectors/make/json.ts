/** How messages and bytes stand in the vector files. */
import type { Field, RequestMessage, ResponseMessage } from '../../../../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse } from '../../../../crypto/frames/binary-http.ts'
import { padMessage } from '../../../../crypto/frames/padding.ts'
import { encodeHex } from '../../../../crypto/text.ts'

export interface JsonRequest {
  readonly method: string
  readonly scheme: string
  readonly authority: string
  readonly path: string
  readonly fields: readonly Field[]
  /** Hex. */
  readonly content: string
}

export interface JsonResponse {
  readonly status: number
  readonly fields: readonly Field[]
  /** Hex. */
  readonly content: string
}

export function jsonRequest(message: RequestMessage): JsonRequest {
  return { ...message, content: encodeHex(message.content) }
}

export function jsonResponse(message: ResponseMessage): JsonResponse {
  return { ...message, content: encodeHex(message.content) }
}

/** Hex of what is sealed: the message in Binary HTTP, padded. */
export function paddedRequest(message: RequestMessage): string {
  return encodeHex(padMessage(encodeRequest(message)))
}

export function paddedResponse(message: ResponseMessage): string {
  return encodeHex(padMessage(encodeResponse(message)))
}
