/** How messages and bytes stand in the vector files. */
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/binary-http.ts'
import { encodeRequest, encodeResponse } from '../../../crypto/binary-http.ts'
import { padMessage } from '../../../crypto/padding.ts'
import { encodeHex } from '../../../crypto/text.ts'

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

/** Every member as hex; the names stay. */
export function hexMembers<T extends object>(value: T): { readonly [K in keyof T]: string } {
  const entries = Object.entries(value as Record<string, Uint8Array>)
  return Object.fromEntries(entries.map(([name, bytes]) => [name, encodeHex(bytes)])) as {
    [K in keyof T]: string
  }
}

/** `text_like_this` for `textLikeThis`, in every object, which is how JSON of the protocol is spelled. */
export function snakeCase(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeCase)
  if (typeof value !== 'object' || value === null) return value
  const spelled = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [spelled(name), snakeCase(member)]))
}
