/** Messages and keys as the vector files write them. */
import type { RequestMessage, ResponseMessage } from '../../../../crypto/frames/binary-http.ts'
import { encodeRequest, encodeResponse } from '../../../../crypto/frames/binary-http.ts'
import { padMessage } from '../../../../crypto/frames/padding.ts'
import { encodeHex } from '../../../../crypto/text.ts'
import type { FixedSigner } from '../../../unit/crypto/fixed-inputs.ts'

/** The content in hex. */
export type JsonRequest = Omit<RequestMessage, 'content'> & { readonly content: string }
export type JsonResponse = Omit<ResponseMessage, 'content'> & { readonly content: string }

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

export function jsonSigner({ seed, publicKey, keyid }: FixedSigner) {
  return { seed: encodeHex(seed), public_key: encodeHex(publicKey), keyid }
}
