/**
 * The service's signature of an inner response, bound to its request (protocol, section 5; RFC 9421, section 2.4).
 *
 * Signatures of a backend (RFC 9421) are passed on, for clients that have the backend's key.
 */
import { FormatError, ProtocolError } from '../errors.ts'
import type { Field, RequestMessage, ResponseMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives, VerificationPrimitives } from '../primitives/primitives.ts'
import { signatureTags } from '../primitives/suite.ts'
import { assertContentDigest, contentDigest } from './content-digest.ts'
import type { SignatureContext } from './signature-base.ts'
import { componentItem, componentValue } from './signature-base.ts'
import type { MessageSigner, SignatureProfile } from './signature-profile.ts'
import { assertSignature, parseSignature, signatureFields, signMessage, tagOf } from './signature-profile.ts'
import { signatureLabel } from './signed-request.ts'
import type { BareItem, Dictionary, InnerList, Item } from './structured-fields.ts'
import { parseDictionary, serializeDictionary } from './structured-fields.ts'

const flag: BareItem = { kind: 'boolean', value: true }
const member: BareItem = { kind: 'string', value: signatureLabel }
const ofRequest: ReadonlyMap<string, BareItem> = new Map([['req', flag]])
const memberOfRequest: ReadonlyMap<string, BareItem> = new Map<string, BareItem>([
  ['req', flag],
  ['key', member],
])

/**
 * The field that marks a problem document of the service; its value is the code, a token. Only the service sets it, so
 * backends cannot forge refusals.
 */
export const problemField = 'miniseal-problem'

/** The components of a response signature, in order; absent ones are omitted. */
const components: readonly Item[] = [
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

const responseProfile: SignatureProfile = {
  tag: signatureTags.response,
  label: signatureLabel,
  parameters: ['created', 'keyid', 'tag'],
  fixedOrder: { components: true, parameters: true },
  components: (context) => components.filter((item) => isPresent(item, context)),
}

function isPresent(item: Item, context: SignatureContext): boolean {
  try {
    return componentValue(item, context) !== undefined
  } catch (error) {
    // Components of an absent request, or of malformed attacker-controlled fields, are not covered.
    if (error instanceof FormatError && item.params.has('req')) return false
    throw error
  }
}

/**
 * Adds `content-digest` (when there is content), `signature-input` and `signature` to a response. Signatures of a
 * backend are passed on ({@link findPassedSignatures}).
 *
 * @param request the answered request; `undefined` only when its plaintext is malformed
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
  const context = contextOf(digested, request)
  const own = signatureFields(
    signatureLabel,
    signMessage(primitives, responseProfile, context, signer, created),
  )
  const passed = findPassedSignatures(response.fields)
  const signed = passed === undefined ? own : appended(own, passed)
  return { ...digested, fields: [...digested.fields, ...signed] }
}

function contextOf(response: ResponseMessage, request: RequestMessage | undefined): SignatureContext {
  return request === undefined ? { response } : { response, request }
}

function appended(own: readonly Field[], { inputs, signatures }: PassedSignatures): readonly Field[] {
  return own.map(([name, value]) => [name, `${value}, ${name === 'signature' ? signatures : inputs}`])
}

/** A signing key of the channel configuration. */
export interface VerificationKey {
  readonly kid: string
  readonly publicKey: Uint8Array
}

/**
 * Verifies that the service signed a response for exactly this request.
 *
 * @param request the client's own signed request, as it was sent
 * @param keys the signing keys of the channel configuration
 * @returns when the service signed the response, UNIX seconds
 * @throws ProtocolError as {@link parseSignature}, `digest_mismatch`, `key_unknown` or `signature_invalid`.
 */
export function verifyResponse(
  primitives: VerificationPrimitives,
  response: ResponseMessage,
  request: RequestMessage,
  keys: readonly VerificationKey[],
): { readonly created: number } {
  const signature = parseSignature(responseProfile, { response, request })
  if (response.content.length > 0 && findField(response.fields, 'content-digest') === undefined)
    throw new ProtocolError('components_incomplete', 'a response with content needs content-digest')
  assertContentDigest(primitives, response)
  const key = keys.find(({ kid }) => kid === signature.keyid)
  if (key === undefined) throw new ProtocolError('key_unknown', 'the response names an unknown key')
  assertSignature(primitives, signature, key.publicKey)
  return { created: signature.created }
}

/** Characters of each field, so that it stays below the parser's limit after the service's member is added. */
const maxPassedLength = 8192

/** Two serialized dictionaries with the same labels. */
export interface PassedSignatures {
  readonly inputs: string
  readonly signatures: string
}

/**
 * The signatures of a backend's response that are passed on to the client; `undefined` when there are none. Malformed
 * fields, members without a counterpart and members with the service's tag are omitted. The label `sig` becomes `upstream`,
 * because labels have no meaning (RFC 9421, section 4.1).
 *
 * @param fields attacker-controlled
 */
export function findPassedSignatures(fields: readonly Field[]): PassedSignatures | undefined {
  const inputs = readDictionary(fields, 'signature-input')
  const signatures = readDictionary(fields, 'signature')
  const passedInputs = new Map<string, Item | InnerList>()
  const passedSignatures = new Map<string, Item>()
  for (const [label, input] of inputs) {
    const signature = signatures.get(label)
    if (!isPassed(input, signature)) continue
    const passedLabel = freeLabel(label, inputs)
    passedInputs.set(passedLabel, input)
    passedSignatures.set(passedLabel, signature)
  }
  if (passedInputs.size === 0) return undefined
  const passed = {
    inputs: serializeDictionary(passedInputs),
    signatures: serializeDictionary(passedSignatures),
  }
  const isTooLong = passed.inputs.length > maxPassedLength || passed.signatures.length > maxPassedLength
  return isTooLong ? undefined : passed
}

function readDictionary(fields: readonly Field[], name: string): Dictionary {
  try {
    return parseDictionary(findField(fields, name) ?? '')
  } catch (error) {
    if (error instanceof FormatError) return new Map()
    throw error
  }
}

/** Clients reject a second signature with the service's tag. */
function isPassed(input: Item | InnerList, signature: Item | InnerList | undefined): signature is Item {
  if (input.kind !== 'inner-list' || tagOf(input) === responseProfile.tag) return false
  return signature?.kind === 'item' && signature.value.kind === 'bytes' && signature.params.size === 0
}

function freeLabel(label: string, taken: Dictionary): string {
  if (label !== signatureLabel) return label
  let free = 'upstream'
  for (let number = 2; taken.has(free); number++) free = `upstream-${number}`
  return free
}
