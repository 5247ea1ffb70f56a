/** The service's signature over an inner response, bound to its request (protocol, section 5; RFC 9421, 2.4). */

import { FormatError, ProtocolError, refuseFormat } from '../errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { signatureTags } from '../primitives/suite.ts'
import { encodeAscii } from '../text.ts'
import { contentDigest, verifyContentDigest } from './content-digest.ts'
import type { PassedSignatures } from './passed-signatures.ts'
import { findPassedSignatures } from './passed-signatures.ts'
import { componentItem, componentValue, signatureBase } from './signature-base.ts'
import type { MessageSigner } from './signed-request.ts'
import { signatureFields, signatureLabel } from './signed-request.ts'
import type { BareItem, InnerList, Item } from './structured-fields.ts'
import { parseDictionary, serializeInnerList } from './structured-fields.ts'

const flag: BareItem = { kind: 'boolean', value: true }
const member: BareItem = { kind: 'string', value: signatureLabel }
const ofRequest: ReadonlyMap<string, BareItem> = new Map([['req', flag]])
const memberOfRequest: ReadonlyMap<string, BareItem> = new Map<string, BareItem>([
  ['req', flag],
  ['key', member],
])

/**
 * The field that marks a problem of the service itself, with its code as a token. Only the service sets it, and every
 * client acts on problems that carry it alone: what a backend answers is the backend's, whatever it says.
 */
export const problemField = 'miniseal-problem'

/** Everything that an answer's signature covers, in order; what is absent is left out. */
const coverage: readonly Item[] = [
  componentItem('@status'),
  componentItem('content-type'),
  componentItem('content-encoding'),
  componentItem('content-digest'),
  componentItem('miniseal-receipt'),
  componentItem(problemField),
  componentItem('@method', ofRequest),
  componentItem('@authority', ofRequest),
  componentItem('@path', ofRequest),
  componentItem('@query', ofRequest),
  componentItem('content-digest', ofRequest),
  componentItem('signature-input', memberOfRequest),
  componentItem('signature', memberOfRequest),
]

function coveredComponents(response: ResponseMessage, request: RequestMessage | undefined): readonly Item[] {
  const context = request === undefined ? { response } : { response, request }
  return coverage.filter((item) => {
    try {
      return componentValue(item, context) !== undefined
    } catch (error) {
      // Where there is no request, or a field of it cannot be read (it is attacker-controlled), none of it is covered.
      if (error instanceof FormatError && item.params.has('req')) return false
      throw error
    }
  })
}

/**
 * Adds `content-digest` (where there is content), `signature-input` and `signature` to a response. Signatures that a
 * backend made stay beside it, under labels of their own ({@link findPassedSignatures}).
 *
 * @param request the request that is answered; absent only when its plaintext could not be read at all
 * @param created UNIX seconds
 */
export function signResponse(
  primitives: Primitives,
  response: ResponseMessage,
  request: RequestMessage | undefined,
  signer: MessageSigner,
  created: number,
): ResponseMessage {
  const fields = response.fields.filter(
    ([name]) => !['content-digest', 'signature', 'signature-input'].includes(name),
  )
  const digested: ResponseMessage =
    response.content.length === 0
      ? { ...response, fields }
      : { ...response, fields: [...fields, ['content-digest', contentDigest(primitives, response.content)]] }
  const params = new Map<string, BareItem>([
    ['created', { kind: 'integer', value: created }],
    ['keyid', { kind: 'string', value: signer.keyid }],
    ['tag', { kind: 'string', value: signatureTags.response }],
  ])
  const input: InnerList = { kind: 'inner-list', items: coveredComponents(digested, request), params }
  const context = request === undefined ? { response: digested } : { response: digested, request }
  const signature = primitives.ed25519Sign(encodeAscii(signatureBase(input, context)), signer.secretKey)
  const passed = findPassedSignatures(response.fields)
  const own = signatureFields(input, signature)
  return { ...digested, fields: [...digested.fields, ...(passed === undefined ? own : besides(own, passed))] }
}

/** The service's member comes first. */
function besides(own: readonly Field[], { inputs, signatures }: PassedSignatures): readonly Field[] {
  return own.map(([name, value]) => [name, `${value}, ${name === 'signature' ? signatures : inputs}`])
}

/** A service key as the channel configuration lists it. */
export interface VerificationKey {
  readonly kid: string
  readonly publicKey: Uint8Array
}

/**
 * Verifies that a response was signed by the service for exactly this request.
 *
 * @param request the client's own signed request, as it was sent
 * @param keys the signing keys of the channel configuration
 * @returns when the service made the answer, UNIX seconds
 * @throws ProtocolError `signature_missing`, `signature_malformed`, `tag_invalid`, `components_incomplete`,
 *   `digest_mismatch`, `key_unknown` or `signature_invalid`.
 */
export function verifyResponse(
  primitives: Primitives,
  response: ResponseMessage,
  request: RequestMessage,
  keys: readonly VerificationKey[],
): { readonly created: number } {
  const { input, signature } = findSignature(response)
  const { created, keyid } = responseParameters(input)
  const expected: InnerList = { ...input, items: coveredComponents(response, request) }
  if (serializeInnerList(input) !== serializeInnerList(expected)) {
    throw new ProtocolError('components_incomplete', 'the answer does not cover exactly what it must')
  }
  assertContent(primitives, response)
  const key = keys.find(({ kid }) => kid === keyid)
  if (key === undefined) throw new ProtocolError('key_unknown', 'the answer is signed with an unknown key')
  const base = refuseFormat('components_incomplete', () => signatureBase(input, { response, request }))
  if (!primitives.ed25519Verify(signature, encodeAscii(base), key.publicKey)) {
    throw new ProtocolError('signature_invalid', 'the signature of the answer does not verify')
  }
  return { created }
}

function findSignature(response: ResponseMessage): { input: InnerList; signature: Uint8Array } {
  const inputText = findField(response.fields, 'signature-input')
  const signatureText = findField(response.fields, 'signature')
  if (inputText === undefined || signatureText === undefined) {
    throw new ProtocolError('signature_missing', 'the answer is not signed')
  }
  const input = refuseFormat('signature_malformed', () => parseDictionary(inputText)).get(signatureLabel)
  const signature = refuseFormat('signature_malformed', () => parseDictionary(signatureText)).get(
    signatureLabel,
  )
  if (input?.kind !== 'inner-list' || signature?.kind !== 'item' || signature.value.kind !== 'bytes') {
    throw new ProtocolError('signature_malformed', 'the signature of the answer cannot be read')
  }
  if (signature.params.size > 0) {
    throw new ProtocolError('signature_malformed', 'the signature of the answer carries parameters')
  }
  return { input, signature: signature.value.value }
}

function responseParameters(input: InnerList): { created: number; keyid: string } {
  const isExact = [...input.params.keys()].join(' ') === 'created keyid tag'
  const created = input.params.get('created')
  const keyid = input.params.get('keyid')
  const tag = input.params.get('tag')
  if (!isExact || created?.kind !== 'integer' || keyid?.kind !== 'string' || tag?.kind !== 'string') {
    throw new ProtocolError(
      'signature_malformed',
      'the parameters of the answer are not created, keyid and tag',
    )
  }
  if (tag.value !== signatureTags.response)
    throw new ProtocolError('tag_invalid', 'the tag is not miniseal-response')
  return { created: created.value, keyid: keyid.value }
}

function assertContent(primitives: Primitives, response: ResponseMessage): void {
  const digest = findField(response.fields, 'content-digest')
  if (digest === undefined) {
    if (response.content.length === 0) return
    throw new ProtocolError('components_incomplete', 'an answer with content needs content-digest')
  }
  const matches = refuseFormat('digest_mismatch', () =>
    verifyContentDigest(primitives, digest, response.content),
  )
  if (!matches)
    throw new ProtocolError('digest_mismatch', 'the content of the answer does not match its digest')
}
