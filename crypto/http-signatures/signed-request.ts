/**
 * The device's signature over an inner request (protocol, section 5; RFC 9421; RFC 9530).
 *
 * The checks are separate functions, because the service refuses in a fixed order and each step has its own code.
 */

import { ProtocolError, refuseFormat } from '../errors.ts'
import type { RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { signatureTags, suite1 } from '../primitives/suite.ts'
import { decodeBase64Url, encodeAscii, encodeBase64Url } from '../text.ts'
import { contentDigest, verifyContentDigest } from './content-digest.ts'
import { assertPath } from './message-rules.ts'
import { componentItem, signatureBase } from './signature-base.ts'
import {
  assertParameterNames,
  integerParameter,
  signatureBytes,
  stringParameter,
  tagOf,
} from './signature-parameters.ts'
import type { BareItem, InnerList } from './structured-fields.ts'
import { parseDictionary, serializeBareItem, serializeInnerList } from './structured-fields.ts'

/** The label under which both ends put their signature; it has no meaning of its own (RFC 9421, section 4.1). */
export const signatureLabel = 'sig'

export const alwaysCovered: readonly string[] = ['@method', '@authority', '@path', '@query']

/** Fields that must be covered where they are present, in this order. */
export const coveredWherePresent: readonly string[] = [
  'content-type',
  'content-encoding',
  'content-digest',
  'authorization',
  'idempotency-key',
  'if-none-match',
  'step-up',
]

/** The key that signs, and its name. */
export interface MessageSigner {
  readonly keyid: string
  /** 64 bytes, see `Ed25519KeyPair.secretKey`. */
  readonly secretKey: Uint8Array
}

/** A request signature whose form, coverage and parameters are right; nothing about it is verified yet. */
export interface RequestSignature {
  /** UNIX seconds, by the device's clock. */
  readonly created: number
  /** 16 bytes. */
  readonly nonce: Uint8Array
  readonly keyid: string
  /** The exact text that was signed: evidence. */
  readonly base: string
  readonly signature: Uint8Array
}

/** The component names that the device's signature over a request with these fields must cover, in order. */
export function requiredComponents(message: RequestMessage): readonly string[] {
  const present = coveredWherePresent.filter((name) => findField(message.fields, name) !== undefined)
  return [...alwaysCovered, ...present]
}

/**
 * Adds `content-digest` (where there is content), `signature-input` and `signature` to a request.
 *
 * @param created UNIX seconds
 * @param nonce 16 random bytes
 * @throws ProtocolError `components_incomplete` when there is content without `content-type`.
 * @throws FormatError for a path that no reader would accept.
 */
export function signRequest(
  primitives: Primitives,
  message: RequestMessage,
  signer: MessageSigner,
  created: number,
  nonce: Uint8Array,
): RequestMessage {
  assertPath(message.path)
  const digested = withContentDigest(primitives, message)
  assertContentIsDescribed(digested)
  const params = new Map<string, BareItem>([
    ['created', { kind: 'integer', value: created }],
    ['nonce', { kind: 'string', value: encodeBase64Url(nonce) }],
    ['keyid', { kind: 'string', value: signer.keyid }],
    ['tag', { kind: 'string', value: signatureTags.request }],
  ])
  const items = requiredComponents(digested).map((name) => componentItem(name))
  const input: InnerList = { kind: 'inner-list', items, params }
  const base = signatureBase(input, { request: digested })
  const signature = primitives.ed25519Sign(encodeAscii(base), signer.secretKey)
  return { ...digested, fields: [...digested.fields, ...signatureFields(input, signature)] }
}

/** The two fields of RFC 9421, section 4, for one signature under the usual label. */
export function signatureFields(
  input: InnerList,
  signature: Uint8Array,
): readonly (readonly [string, string])[] {
  return [
    ['signature-input', `${signatureLabel}=${serializeInnerList(input)}`],
    ['signature', `${signatureLabel}=${serializeBareItem({ kind: 'bytes', value: signature })}`],
  ]
}

function withContentDigest(primitives: Primitives, message: RequestMessage): RequestMessage {
  if (message.content.length === 0) return message
  const digest = contentDigest(primitives, message.content)
  const fields = message.fields.filter(([name]) => name !== 'content-digest')
  return { ...message, fields: [...fields, ['content-digest', digest]] }
}

/**
 * Reads the signature of an attacker-controlled request and checks its form, tag, coverage and parameters.
 *
 * @throws ProtocolError `signature_missing`, `signature_malformed`, `tag_invalid`, `alg_not_allowed` or
 *   `components_incomplete`.
 */
export function parseRequestSignature(message: RequestMessage): RequestSignature {
  const { input, signature } = findSignature(message)
  assertParameterNames(input)
  const created = integerParameter(input, 'created')
  const nonce = refuseFormat('signature_malformed', () => decodeBase64Url(stringParameter(input, 'nonce')))
  if (nonce.length !== suite1.signatureNonceLength) {
    throw new ProtocolError('signature_malformed', 'the nonce must be 16 bytes')
  }
  const keyid = stringParameter(input, 'keyid')
  assertCoverage(input, message)
  const base = refuseFormat('components_incomplete', () => signatureBase(input, { request: message }))
  return { created, nonce, keyid, base, signature }
}

function findSignature(message: RequestMessage): { input: InnerList; signature: Uint8Array } {
  const inputText = findField(message.fields, 'signature-input')
  const signatureText = findField(message.fields, 'signature')
  if (inputText === undefined || signatureText === undefined) {
    throw new ProtocolError('signature_missing', 'the request carries no signature')
  }
  const inputs = refuseFormat('signature_malformed', () => parseDictionary(inputText))
  const signatures = refuseFormat('signature_malformed', () => parseDictionary(signatureText))
  const tagged = [...inputs].filter(([, member]) => tagOf(member) === signatureTags.request)
  if (tagged.length > 1) throw new ProtocolError('signature_malformed', 'two signatures carry the tag')
  const input = inputs.get(signatureLabel)
  if (input === undefined) throw new ProtocolError('signature_missing', 'no signature is labelled sig')
  if (input.kind !== 'inner-list') throw new ProtocolError('signature_malformed', 'sig is not an inner list')
  if (tagOf(input) !== signatureTags.request)
    throw new ProtocolError('tag_invalid', 'the tag is not miniseal')
  return { input, signature: signatureBytes(signatures.get(signatureLabel)) }
}

function assertCoverage(input: InnerList, message: RequestMessage): void {
  assertContentIsDescribed(message)
  const required = requiredComponents(message)
  const isExact =
    input.items.length === required.length &&
    input.items.every(({ value, params }, index) => {
      return value.kind === 'string' && value.value === required[index] && params.size === 0
    })
  if (!isExact)
    throw new ProtocolError('components_incomplete', `the signature must cover: ${required.join(' ')}`)
}

function assertContentIsDescribed(message: RequestMessage): void {
  if (message.content.length === 0) return
  for (const name of ['content-type', 'content-digest']) {
    if (findField(message.fields, name) === undefined) {
      throw new ProtocolError('components_incomplete', `a request with content needs ${name}`)
    }
  }
}

/** How far `created` may lie from the service's clock, in seconds. */
export interface SignatureWindow {
  readonly past: number
  readonly future: number
}

/** @throws ProtocolError `window_invalid` unless `created` is in [now - past, now + future], ends included. */
export function assertInWindow(signature: RequestSignature, now: number, window: SignatureWindow): void {
  if (signature.created < now - window.past || signature.created > now + window.future) {
    throw new ProtocolError('window_invalid', 'the signature was not created within the accepted window')
  }
}

/**
 * Compares the content with its digest; a good signature over the field alone would say nothing about the body.
 *
 * @throws ProtocolError `digest_mismatch`, also for a digest that cannot be read or is of another algorithm.
 */
export function assertContentDigest(primitives: Pick<Primitives, 'sha256'>, message: RequestMessage): void {
  const field = findField(message.fields, 'content-digest')
  if (field === undefined) return
  const matches = refuseFormat('digest_mismatch', () =>
    verifyContentDigest(primitives, field, message.content),
  )
  if (!matches) throw new ProtocolError('digest_mismatch', 'the content does not match its digest')
}

/** @throws ProtocolError `signature_invalid`. */
export function assertSignature(
  primitives: Pick<Primitives, 'ed25519Verify'>,
  signature: RequestSignature,
  publicKey: Uint8Array,
): void {
  if (!primitives.ed25519Verify(signature.signature, encodeAscii(signature.base), publicKey)) {
    throw new ProtocolError('signature_invalid', 'the signature does not verify')
  }
}
