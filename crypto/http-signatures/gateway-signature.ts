/**
 * The service's own signature on a request that goes on to a backend (`docs/guides/integration.md`): it says who the caller
 * is, and that every check of the channel was passed. It stands beside the device's signature, which stays as it was.
 *
 * ```
 * miniseal-caller: user="…", device="…", session="…", app="…", acr="session"
 * miniseal-device-key: <base64url of the device's Ed25519 public key>
 * signature-input: sig=…, gateway=(<what the device covers> "miniseal-caller" "miniseal-device-key");created=…;nonce="…";keyid="…";tag="miniseal-gateway"
 * ```
 */

import { ProtocolError, refuseFormat } from '../errors.ts'
import type { Field, RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { signatureTags, suite1 } from '../primitives/suite.ts'
import { decodeBase64Url, encodeAscii, encodeBase64Url } from '../text.ts'
import { componentItem, signatureBase } from './signature-base.ts'
import {
  assertParameterNames,
  integerParameter,
  signatureBytes,
  stringParameter,
  tagOf,
} from './signature-parameters.ts'
import type { MessageSigner, RequestSignature } from './signed-request.ts'
import { requiredComponents } from './signed-request.ts'
import type { BareItem, Dictionary, InnerList, Item } from './structured-fields.ts'
import {
  parseDictionary,
  serializeBareItem,
  serializeDictionary,
  serializeInnerList,
} from './structured-fields.ts'

/** The label of the service's signature; backends find it by its tag or by this. */
export const gatewayLabel = 'gateway'

const callerField = 'miniseal-caller'
const deviceKeyField = 'miniseal-device-key'

/** Who asks, as the service tells its backends. Printable ASCII all. */
export interface CallerClaims {
  /** The pseudonymous subject. */
  readonly user: string
  /** Thumbprint of the device key. */
  readonly device: string
  /** b64u of the session id. */
  readonly session: string
  /** The mini program's appid. */
  readonly app: string
  /** How the user was confirmed for this request: `session` or `soter`. */
  readonly acr: string
}

/** The caller of a request, as the channel verified it. */
export interface Caller {
  /** The pairwise subject of the user. */
  readonly user: string
  /** Thumbprint of the device key. */
  readonly device: string
  /** base64url of the session id. */
  readonly session: string
  /** Of the mini program. */
  readonly appid: string
  /** How the user was authenticated for this request: `session`, or `soter` after a biometric confirmation. */
  readonly acr: 'session' | 'soter'
  readonly signature: SignatureEvidence
}

/** The device's signature over a request: evidence for third parties. */
export interface SignatureEvidence {
  readonly keyid: string
  /** The device's Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The exact text that was signed (RFC 9421, section 2.5). */
  readonly base: string
  readonly signature: Uint8Array
  /** UNIX seconds, by the device's clock. */
  readonly created: number
}

const claimNames = ['user', 'device', 'session', 'app', 'acr'] as const

/**
 * Adds `miniseal-caller` and `miniseal-device-key`, and to the device's `signature-input` and `signature` the member
 * `gateway`. The member `sig` stays, in its strict serialisation; members of the client's that pass for the service's go.
 *
 * @param message a verified request, without `miniseal-*` fields from outside
 * @param publicKey the device's, 32 bytes
 * @param created UNIX seconds
 * @param nonce 16 random bytes
 * @throws FormatError when a claim is not printable ASCII or the request's signature fields cannot be read.
 */
export function signForBackend(
  primitives: Primitives,
  message: RequestMessage,
  caller: CallerClaims,
  publicKey: Uint8Array,
  signer: MessageSigner,
  created: number,
  nonce: Uint8Array,
): RequestMessage {
  const told: RequestMessage = {
    ...message,
    fields: [
      ...message.fields.filter(([name]) => name !== callerField && name !== deviceKeyField),
      [callerField, serializeCaller(caller)],
      [deviceKeyField, encodeBase64Url(publicKey)],
    ],
  }
  const params = new Map<string, BareItem>([
    ['created', { kind: 'integer', value: created }],
    ['nonce', { kind: 'string', value: encodeBase64Url(nonce) }],
    ['keyid', { kind: 'string', value: signer.keyid }],
    ['tag', { kind: 'string', value: signatureTags.gateway }],
  ])
  const items = gatewayComponents(told).map((name) => componentItem(name))
  const input: InnerList = { kind: 'inner-list', items, params }
  const signature = primitives.ed25519Sign(
    encodeAscii(signatureBase(input, { request: told })),
    signer.secretKey,
  )
  return { ...told, fields: withMember(told.fields, input, signature) }
}

function serializeCaller(caller: CallerClaims): string {
  return serializeDictionary(
    new Map(
      claimNames.map((name) => [
        name,
        { kind: 'item', value: { kind: 'string', value: caller[name] }, params: new Map() },
      ]),
    ),
  )
}

/** What the service's signature covers, in order: what the device's does, and what the service adds. */
function gatewayComponents(message: RequestMessage): readonly string[] {
  return [...requiredComponents(message), callerField, deviceKeyField]
}

function withMember(fields: readonly Field[], input: InnerList, signature: Uint8Array): readonly Field[] {
  const inputs = findField(fields, 'signature-input') ?? ''
  const signatures = findField(fields, 'signature') ?? ''
  const impostors = impostorsIn(parseDictionary(inputs), parseDictionary(signatures))
  const bytes = serializeBareItem({ kind: 'bytes', value: signature })
  return [
    ...fields.filter(([name]) => name !== 'signature-input' && name !== 'signature'),
    ['signature-input', `${without(inputs, impostors)}, ${gatewayLabel}=${serializeInnerList(input)}`],
    ['signature', `${without(signatures, impostors)}, ${gatewayLabel}=${bytes}`],
  ]
}

/** Labels of the client's that somebody could take for the service's. Attacker-controlled. */
function impostorsIn(inputs: Dictionary, signatures: Dictionary): ReadonlySet<string> {
  const labels = [...inputs.keys(), ...signatures.keys()]
  return new Set(
    labels.filter((label) => {
      const member = inputs.get(label)
      return label === gatewayLabel || (member !== undefined && tagOf(member) === signatureTags.gateway)
    }),
  )
}

/** In the one strict serialisation, which is what was signed: spaces of the client's cannot be read in two ways. */
function without(text: string, labels: ReadonlySet<string>): string {
  return serializeDictionary(new Map([...parseDictionary(text)].filter(([label]) => !labels.has(label))))
}

/** A gateway signature whose form, coverage and parameters are right; nothing about it is verified yet. */
export interface GatewaySignature extends RequestSignature {
  /** Covered by the signature, and worth as much as it. */
  readonly caller: CallerClaims
  /** The device's public key, 32 bytes. */
  readonly publicKey: Uint8Array
}

/**
 * Reads the service's signature of an attacker-controlled request and checks its form, tag, coverage and parameters.
 *
 * @throws ProtocolError `signature_missing`, `signature_malformed`, `tag_invalid`, `alg_not_allowed` or
 *   `components_incomplete`.
 */
export function parseGatewaySignature(message: RequestMessage): GatewaySignature {
  const { input, signature } = findMember(message)
  assertParameterNames(input)
  const created = integerParameter(input, 'created')
  const nonce = refuseFormat('signature_malformed', () => decodeBase64Url(stringParameter(input, 'nonce')))
  if (nonce.length !== suite1.signatureNonceLength)
    throw new ProtocolError('signature_malformed', 'the nonce of the gateway must be 16 bytes')
  const keyid = stringParameter(input, 'keyid')
  assertCoverage(input, message)
  const base = refuseFormat('components_incomplete', () => signatureBase(input, { request: message }))
  const caller = parseCaller(findField(message.fields, callerField) ?? '')
  return { created, nonce, keyid, base, signature, caller, publicKey: devicePublicKey(message) }
}

function findMember(message: RequestMessage): { input: InnerList; signature: Uint8Array } {
  const dictionary = (name: string): Dictionary =>
    refuseFormat('signature_malformed', () => parseDictionary(findField(message.fields, name) ?? ''))
  const inputs = dictionary('signature-input')
  const input = inputs.get(gatewayLabel)
  if (input === undefined) throw new ProtocolError('signature_missing', 'the gateway did not sign')
  if (input.kind !== 'inner-list')
    throw new ProtocolError('signature_malformed', 'the member gateway is not an inner list')
  if (tagOf(input) !== signatureTags.gateway)
    throw new ProtocolError('tag_invalid', 'the tag is not miniseal-gateway')
  if ([...inputs.values()].filter((member) => tagOf(member) === signatureTags.gateway).length > 1)
    throw new ProtocolError('signature_malformed', 'two signatures carry the tag of the gateway')
  return { input, signature: signatureBytes(dictionary('signature').get(gatewayLabel)) }
}

function assertCoverage(input: InnerList, message: RequestMessage): void {
  const required = gatewayComponents(message)
  const isExact =
    input.items.length === required.length &&
    input.items.every(({ value, params }, index) => {
      return value.kind === 'string' && value.value === required[index] && params.size === 0
    })
  if (!isExact)
    throw new ProtocolError(
      'components_incomplete',
      `the gateway's signature must cover: ${required.join(' ')}`,
    )
}

function parseCaller(field: string): CallerClaims {
  const members = refuseFormat('signature_malformed', () => parseDictionary(field))
  const claim = (name: string): string => stringOf(members.get(name))
  if (members.size !== claimNames.length)
    throw new ProtocolError('signature_malformed', 'miniseal-caller has other members')
  return {
    user: claim('user'),
    device: claim('device'),
    session: claim('session'),
    app: claim('app'),
    acr: claim('acr'),
  }
}

function stringOf(member: Item | InnerList | undefined): string {
  if (member?.kind !== 'item' || member.value.kind !== 'string' || member.params.size > 0)
    throw new ProtocolError('signature_malformed', 'a member of miniseal-caller is not a string')
  return member.value.value
}

function devicePublicKey(message: RequestMessage): Uint8Array {
  const field = findField(message.fields, deviceKeyField) ?? ''
  const key = refuseFormat('signature_malformed', () => decodeBase64Url(field))
  if (key.length !== 32)
    throw new ProtocolError('signature_malformed', 'miniseal-device-key is not a key of 32 bytes')
  return key
}
