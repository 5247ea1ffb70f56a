/**
 * Signatures over anything, also over what the library itself would never sign, so that only the check under test can
 * refuse the message.
 */

import { concatBytes } from '../../../crypto/bytes.ts'
import { FormatError } from '../../../crypto/errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeRequest, findField } from '../../../crypto/frames/binary-http.ts'
import { encodeVarint } from '../../../crypto/frames/varint.ts'
import type { SignatureContext } from '../../../crypto/http-signatures/signature-base.ts'
import { signatureBase } from '../../../crypto/http-signatures/signature-base.ts'
import { parseDictionary } from '../../../crypto/http-signatures/structured-fields.ts'
import { encodeAscii, encodeBase64 } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'

/** The parts of a signature; texts go into the fields as they are. */
export interface Handmade {
  /** Serialized component identifiers, with quotes. */
  readonly components: readonly string[]
  /** Serialized parameters, each with its `;`. */
  readonly params: string
  readonly secretKey: Uint8Array
  readonly label?: string
  /** Instead of `(components)params`. */
  readonly input?: string
  /** The `signature` field; the argument is the right signature. */
  readonly signature?: (signature: Uint8Array) => string
}

/** The message with the two fields of a handmade signature. */
export function signedByHand<M extends RequestMessage | ResponseMessage>(
  message: M,
  made: Handmade,
  request?: RequestMessage,
): M {
  const { label = 'sig', components, params } = made
  const isResponse = 'status' in message
  const context: SignatureContext = isResponse
    ? request === undefined
      ? { response: message }
      : { response: message, request }
    : { request: message }
  const bytes = primitives.ed25519Sign(encodeAscii(baseOf(components, params, context)), made.secretKey)
  const signature = made.signature?.(bytes) ?? `${label}=:${encodeBase64(bytes)}:`
  const input = made.input ?? `${label}=(${components.join(' ')})${params}`
  return {
    ...message,
    fields: [...message.fields, ['signature-input', input], ['signature', signature]],
  }
}

/** Nothing when the components have no value: then the signature proves nothing, and must not come to matter. */
function baseOf(components: readonly string[], params: string, context: SignatureContext): string {
  try {
    const list = parseDictionary(`x=(${components.join(' ')})`).get('x')
    return list?.kind === 'inner-list' ? signatureBase(list, context) + params : ''
  } catch (error) {
    if (error instanceof FormatError) return ''
    throw error
  }
}

/** The message without the fields of `names`. */
export function without<M extends RequestMessage | ResponseMessage>(
  message: M,
  ...names: readonly string[]
): M {
  return { ...message, fields: message.fields.filter(([name]) => !names.includes(name)) }
}

/** The message with a field added, or with another value for it in its place. */
export function withField<M extends RequestMessage | ResponseMessage>(
  message: M,
  name: string,
  value: string,
): M {
  const isThere = findField(message.fields, name) !== undefined
  const fields: readonly Field[] = isThere
    ? message.fields.map((field) => (field[0] === name ? [name, value] : field))
    : [...message.fields, [name, value]]
  return { ...message, fields }
}

/** The message with its field of this name rewritten. */
export function changed<M extends RequestMessage | ResponseMessage>(
  message: M,
  name: string,
  change: (value: string) => string,
): M {
  const value = findField(message.fields, name)
  if (value === undefined) throw new Error(`the message has no ${name}`)
  return withField(message, name, change(value))
}

/** The serialized components of the signature `sig` of a message, and its parameters. */
export function partsOf(message: RequestMessage | ResponseMessage): {
  readonly components: readonly string[]
  readonly params: string
} {
  const match = /^sig=\(([^)]*)\)(.*)$/.exec(findField(message.fields, 'signature-input') ?? '')
  const [, components, params] = match ?? []
  if (components === undefined || params === undefined) throw new Error('not a signature of this library')
  return { components: components.split(' '), params }
}

/** A request with any ASCII as its path; everything else is checked as ever. */
export function encodeWithAnyPath(request: RequestMessage): Uint8Array {
  const vector = (text: string): Uint8Array => concatBytes(encodeVarint(text.length), encodeAscii(text))
  const { method, scheme, authority, path } = request
  const start = concatBytes(encodeVarint(0), vector(method), vector(scheme), vector(authority))
  const usual = encodeRequest({ ...request, path: '/' })
  return concatBytes(start, vector(path), usual.subarray(start.length + vector('/').length))
}
