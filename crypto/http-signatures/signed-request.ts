/**
 * Signatures of requests (protocol, section 5; RFC 9421; RFC 9530): the device's signature of an inner request, and a
 * backend's signature of a request that pushes an event.
 *
 * The checks are separate functions, because the service makes them in a fixed order and each has its own code.
 */
import { FormatError, ProtocolError } from '../errors.ts'
import type { RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { signatureTags } from '../primitives/suite.ts'
import { contentDigest } from './content-digest.ts'
import { assertPath } from './message-rules.ts'
import type { SignatureContext } from './signature-base.ts'
import { componentItem } from './signature-base.ts'
import type { MessageSignature, MessageSigner, SignatureProfile } from './signature-profile.ts'
import {
  assertCoverage,
  parseParameters,
  parseSignature,
  signatureFields,
  signMessage,
  tagOf,
} from './signature-profile.ts'
import type { InnerList } from './structured-fields.ts'
import { parseDictionary, serializeInnerList } from './structured-fields.ts'

export { assertContentDigest } from './content-digest.ts'
export type { MessageSigner, SignatureWindow } from './signature-profile.ts'
export { assertInWindow, assertSignature } from './signature-profile.ts'

/** The label of the device's signature of a request and of the service's signature of the response. */
export const signatureLabel = 'sig'

const alwaysCovered: readonly string[] = ['@method', '@authority', '@path', '@query']

/** Fields that are covered if present, in this order. */
export const coveredWherePresent: readonly string[] = [
  'content-type',
  'content-encoding',
  'content-digest',
  'authorization',
  'idempotency-key',
  'if-none-match',
  'step-up',
]

/** The device's signature of an inner request. */
export const requestProfile: SignatureProfile = {
  tag: signatureTags.request,
  label: signatureLabel,
  parameters: ['created', 'nonce', 'keyid', 'tag'],
  fixedOrder: { components: true, parameters: false },
  components: (context) => requiredComponents(requestOf(context)).map((name) => componentItem(name)),
}

/**
 * A backend's signature of `POST /push` (`docs/guides/integration.md`); `keyid` names the backend's key.
 *
 * ```
 * signature-input: push=("@method" "@authority" "@path" "content-type" "content-digest" "idempotency-key");created=…;nonce="…";keyid="…";tag="miniseal-push"
 * ```
 * `idempotency-key` is covered if present.
 */
const pushProfile: SignatureProfile = {
  tag: signatureTags.push,
  label: undefined,
  parameters: requestProfile.parameters,
  fixedOrder: { components: false, parameters: false },
  components: (context) => {
    const hasKey = findField(requestOf(context).fields, 'idempotency-key') !== undefined
    const names = ['@method', '@authority', '@path', 'content-type', 'content-digest']
    return [...names, ...(hasKey ? ['idempotency-key'] : [])].map((name) => componentItem(name))
  },
}

function requestOf({ request }: SignatureContext): RequestMessage {
  if (request === undefined) throw new FormatError('the request of the component is missing')
  return request
}

/** A signature that matches its profile. It is not verified. */
export type RequestSignature = MessageSignature

/** The names of the components that the device's signature of this request covers, in order. */
export function requiredComponents({ fields }: RequestMessage): readonly string[] {
  return [...alwaysCovered, ...coveredWherePresent.filter((name) => findField(fields, name) !== undefined)]
}

/**
 * Adds `content-digest` (when there is content), `signature-input` and `signature` to a request.
 *
 * @param created UNIX seconds
 * @param nonce 16 random bytes
 * @throws ProtocolError `components_incomplete` when there is content without `content-type`.
 * @throws FormatError for an invalid path.
 */
export function signRequest(
  primitives: Primitives,
  message: RequestMessage,
  signer: MessageSigner,
  created: number,
  nonce: Uint8Array,
): RequestMessage {
  assertPath(message.path)
  const request = withContentDigest(primitives, message)
  assertContentIsDescribed(request)
  const member = signMessage(primitives, requestProfile, { request }, signer, created, nonce)
  return { ...request, fields: [...request.fields, ...signatureFields(signatureLabel, member)] }
}

function withContentDigest(primitives: Primitives, message: RequestMessage): RequestMessage {
  if (message.content.length === 0) return message
  const digest = contentDigest(primitives, message.content)
  const fields = message.fields.filter(([name]) => name !== 'content-digest')
  return { ...message, fields: [...fields, ['content-digest', digest]] }
}

/**
 * Parses the device's signature of an attacker-controlled request.
 *
 * @throws ProtocolError as {@link parseSignature}.
 */
export function parseRequestSignature(request: RequestMessage): RequestSignature {
  const signature = parseSignature(requestProfile, { request })
  assertContentIsDescribed(request)
  return signature
}

/**
 * Parses the signature of an attacker-controlled request that pushes an event.
 *
 * @throws ProtocolError as {@link parseSignature}, but never `tag_invalid`.
 */
export function parsePushSignature(request: RequestMessage): RequestSignature {
  return parseSignature(pushProfile, { request })
}

function assertContentIsDescribed(message: RequestMessage): void {
  if (message.content.length === 0) return
  for (const name of ['content-type', 'content-digest']) {
    if (findField(message.fields, name) === undefined)
      throw new ProtocolError('components_incomplete', `a request with content needs ${name}`)
  }
}

/** A parsed signature base of a device. It is not verified. */
export interface RequestBase {
  /** UNIX seconds. */
  readonly created: number
  readonly keyid: string
  /** Covered components by name. */
  readonly values: ReadonlyMap<string, string>
}

const parametersLine = '"@signature-params": '
const componentLine = /^"([!#$%&'*+.^_`|~0-9a-z@-]+)": ([\t\x20-\x7e]*)$/

/**
 * Parses an attacker-controlled signature base of a request (RFC 9421, section 2.5), as stored in evidence. Requires the
 * coverage, parameters and tag of {@link requestProfile}, strictly serialized.
 *
 * @throws FormatError or ProtocolError for any other text.
 */
export function parseRequestBase(base: string): RequestBase {
  const lines = base.split('\n')
  const input = parametersOf(lines.pop() ?? '')
  const { created, keyid } = parseParameters(requestProfile, input)
  if (tagOf(input) !== requestProfile.tag)
    throw new ProtocolError('tag_invalid', `the tag is not ${requestProfile.tag}`)
  const values = new Map(lines.map(componentOf))
  const names = [...alwaysCovered, ...coveredWherePresent.filter((name) => values.has(name))]
  assertCoverage(
    requestProfile,
    input.items,
    names.map((name) => componentItem(name)),
  )
  if (lines.length !== names.length || [...values.keys()].join(' ') !== names.join(' '))
    throw new ProtocolError('components_incomplete', `the base must cover exactly: ${names.join(' ')}`)
  return { created, keyid, values }
}

function parametersOf(line: string): InnerList {
  if (line.slice(0, parametersLine.length) !== parametersLine)
    throw new FormatError('the base does not end with its parameters')
  const list = line.slice(parametersLine.length)
  const members = parseDictionary(`sig=${list}`)
  const input = members.get('sig')
  if (members.size !== 1 || input?.kind !== 'inner-list' || serializeInnerList(input) !== list)
    throw new FormatError('the parameters of the base are not one inner list, strictly serialized')
  return input
}

function componentOf(line: string): readonly [string, string] {
  const [, name, value] = componentLine.exec(line) ?? []
  if (name === undefined || value === undefined)
    throw new FormatError('a line of the base is not a component')
  return [name, value]
}
