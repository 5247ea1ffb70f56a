/**
 * Signature profiles (RFC 9421, section 1.4): the required form of each kind of signature, and one signer and one parser
 * for all kinds. Messages are attacker-controlled.
 */
import { ProtocolError, refuseFormat } from '../errors.ts'
import type { Field } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { suite1 } from '../primitives/suite.ts'
import { decodeBase64Url, encodeAscii, encodeBase64Url } from '../text.ts'
import type { SignatureContext } from './signature-base.ts'
import { signatureBase } from './signature-base.ts'
import type { BareItem, InnerList, Item } from './structured-fields.ts'
import { parseDictionary, serializeBareItem, serializeInnerList, serializeItem } from './structured-fields.ts'

type ParameterName = 'created' | 'nonce' | 'keyid' | 'tag'

export interface SignatureProfile {
  /** Identifies the kind of signature (RFC 9421, section 7.2.7). */
  readonly tag: string
  /** The label of the member; `undefined`: the tag identifies the member. */
  readonly label: string | undefined
  /** Exactly these parameters; signers write them in this order. */
  readonly parameters: readonly ParameterName[]
  /** Whether the parser requires the order of the profile. */
  readonly fixedOrder: { readonly components: boolean; readonly parameters: boolean }
  /** The components that a signature of this message must cover, no more and no fewer. */
  readonly components: (context: SignatureContext) => readonly Item[]
}

/** A signing key and its name. */
export interface MessageSigner {
  readonly keyid: string
  /** 64 bytes, see `Ed25519KeyPair.secretKey`. */
  readonly secretKey: Uint8Array
}

/** A signature that matches its profile. It is not verified. */
export interface MessageSignature {
  /** UNIX seconds, by the signer's clock. */
  readonly created: number
  /** 16 bytes; empty when the profile has no nonce. */
  readonly nonce: Uint8Array
  readonly keyid: string
  /** The exact text that was signed. */
  readonly base: string
  /** 64 bytes. */
  readonly signature: Uint8Array
}

/**
 * Signs a message.
 *
 * @param created UNIX seconds
 * @param nonce 16 random bytes, for a profile that has one
 * @returns the members of `signature-input` and `signature`, without their label
 * @throws FormatError when a component has no value.
 */
export function signMessage(
  primitives: Pick<Primitives, 'ed25519Sign'>,
  profile: SignatureProfile,
  context: SignatureContext,
  signer: MessageSigner,
  created: number,
  nonce: Uint8Array = new Uint8Array(0),
): { readonly input: string; readonly signature: string } {
  const values: Readonly<Record<ParameterName, BareItem>> = {
    created: { kind: 'integer', value: created },
    nonce: { kind: 'string', value: encodeBase64Url(nonce) },
    keyid: { kind: 'string', value: signer.keyid },
    tag: { kind: 'string', value: profile.tag },
  }
  const params = new Map(profile.parameters.map((name) => [name as string, values[name]]))
  const input: InnerList = { kind: 'inner-list', items: profile.components(context), params }
  const value = primitives.ed25519Sign(encodeAscii(signatureBase(input, context)), signer.secretKey)
  return { input: serializeInnerList(input), signature: serializeBareItem({ kind: 'bytes', value }) }
}

/** The fields `signature-input` and `signature` with one member (RFC 9421, section 4). */
export function signatureFields(
  label: string,
  { input, signature }: { readonly input: string; readonly signature: string },
): readonly Field[] {
  return [
    ['signature-input', `${label}=${input}`],
    ['signature', `${label}=${signature}`],
  ]
}

/**
 * Finds the signature of this profile in an attacker-controlled message and checks its form, tag, parameters and
 * coverage.
 *
 * @throws ProtocolError `signature_missing`, `signature_malformed`, `tag_invalid`, `alg_not_allowed` or
 *   `components_incomplete`.
 */
export function parseSignature(profile: SignatureProfile, context: SignatureContext): MessageSignature {
  const { fields } = context.response ?? context.request ?? { fields: [] }
  const { input, signature } = findMember(profile, fields)
  const parameters = parseParameters(profile, input)
  assertCoverage(profile, input.items, profile.components(context))
  const base = refuseFormat('components_incomplete', () => signatureBase(input, context))
  return { ...parameters, base, signature }
}

function findMember(
  { tag, label }: SignatureProfile,
  fields: readonly Field[],
): { readonly input: InnerList; readonly signature: Uint8Array } {
  const inputText = findField(fields, 'signature-input')
  const signatureText = findField(fields, 'signature')
  if (inputText === undefined || signatureText === undefined)
    throw new ProtocolError('signature_missing', 'the message is not signed')
  const inputs = refuseFormat('signature_malformed', () => parseDictionary(inputText))
  const signatures = refuseFormat('signature_malformed', () => parseDictionary(signatureText))
  const [tagged, ...more] = [...inputs].filter(([, member]) => tagOf(member) === tag)
  if (more.length > 0) throw new ProtocolError('signature_malformed', `two signatures have the tag ${tag}`)
  const found = label ?? tagged?.[0]
  const input = found === undefined ? undefined : inputs.get(found)
  if (found === undefined || input === undefined)
    throw new ProtocolError('signature_missing', `no signature has the ${missing(label, tag)}`)
  if (input.kind !== 'inner-list')
    throw new ProtocolError('signature_malformed', `${found} of signature-input is not an inner list`)
  if (tagOf(input) !== tag) throw new ProtocolError('tag_invalid', `the tag is not ${tag}`)
  return { input, signature: signatureBytes(signatures.get(found)) }
}

function missing(label: string | undefined, tag: string): string {
  return label === undefined ? `tag ${tag}` : `label ${label}`
}

function signatureBytes(member: Item | InnerList | undefined): Uint8Array {
  if (member === undefined)
    throw new ProtocolError('signature_missing', 'the field signature lacks the member of signature-input')
  if (member.kind !== 'item' || member.value.kind !== 'bytes' || member.params.size > 0)
    throw new ProtocolError('signature_malformed', 'the signature is not a plain byte sequence')
  if (member.value.value.length !== 64)
    throw new ProtocolError('signature_malformed', 'the signature is not 64 bytes')
  return member.value.value
}

/** The parameter `tag`, where it is a string. */
export function tagOf(member: Item | InnerList): string | undefined {
  const tag = member.params.get('tag')
  return tag?.kind === 'string' ? tag.value : undefined
}

/**
 * Parses the parameters that the profile requires. The caller checks the tag.
 *
 * @throws ProtocolError `alg_not_allowed` or `signature_malformed`.
 */
export function parseParameters(
  { parameters, fixedOrder }: SignatureProfile,
  { params }: InnerList,
): Pick<MessageSignature, 'created' | 'nonce' | 'keyid'> {
  if (params.has('alg')) throw new ProtocolError('alg_not_allowed', 'the parameter alg is not allowed')
  const names = [...params.keys()]
  const isExact = sameTexts(names, parameters, fixedOrder.parameters)
  if (!isExact)
    throw new ProtocolError('signature_malformed', `the parameters must be: ${parameters.join(' ')}`)
  const created = params.get('created')
  if (created?.kind !== 'integer' || created.value < 0)
    throw new ProtocolError('signature_malformed', 'the parameter created is not a time')
  const keyid = stringOf(params.get('keyid'), 'keyid')
  if (parameters.indexOf('nonce') < 0) return { created: created.value, nonce: new Uint8Array(0), keyid }
  const text = stringOf(params.get('nonce'), 'nonce')
  const nonce = refuseFormat('signature_malformed', () => decodeBase64Url(text))
  if (nonce.length !== suite1.signatureNonceLength)
    throw new ProtocolError('signature_malformed', 'the nonce is not 16 bytes')
  return { created: created.value, nonce, keyid }
}

function stringOf(value: BareItem | undefined, name: string): string {
  if (value?.kind !== 'string')
    throw new ProtocolError('signature_malformed', `the parameter ${name} is not a string`)
  return value.value
}

/** @throws ProtocolError `components_incomplete` unless `covered` are exactly the `required` components. */
export function assertCoverage(
  { fixedOrder }: SignatureProfile,
  covered: readonly Item[],
  required: readonly Item[],
): void {
  const names = required.map(serializeItem)
  if (!sameTexts(covered.map(serializeItem), names, fixedOrder.components))
    throw new ProtocolError('components_incomplete', `the signature must cover exactly: ${names.join(' ')}`)
}

/** Whether two lists contain the same texts, counting repetitions. */
function sameTexts(found: readonly string[], required: readonly string[], isOrdered: boolean): boolean {
  const joined = (texts: readonly string[]): string => (isOrdered ? [...texts] : [...texts].sort()).join('\n')
  return joined(found) === joined(required)
}

/** Maximum distance of `created` from the verifier's clock, in seconds. */
export interface SignatureWindow {
  readonly past: number
  readonly future: number
}

/** @throws ProtocolError `window_invalid` unless `created` is in [now - past, now + future], ends included. */
export function assertInWindow(
  { created }: Pick<MessageSignature, 'created'>,
  now: number,
  { past, future }: SignatureWindow,
): void {
  if (created < now - past || created > now + future)
    throw new ProtocolError('window_invalid', 'the signature was created outside the accepted window')
}

/** @throws ProtocolError `signature_invalid`. */
export function assertSignature(
  primitives: Pick<Primitives, 'ed25519Verify'>,
  { signature, base }: Pick<MessageSignature, 'signature' | 'base'>,
  publicKey: Uint8Array,
): void {
  if (!primitives.ed25519Verify(signature, encodeAscii(base), publicKey))
    throw new ProtocolError('signature_invalid', 'the signature does not verify')
}
