/**
 * The service's signature of a request that it forwards to a backend (`docs/guides/integration.md`). It names the caller and
 * attests that all checks of the channel passed. The device's signature is forwarded unchanged.
 *
 * ```
 * miniseal-caller: user="…", device="…", session="…", app="…", acr="session"
 * miniseal-device-key: <base64url of the device's Ed25519 public key>
 * signature-input: sig=…, gateway=(<the components of sig> "miniseal-caller" "miniseal-device-key");created=…;nonce="…";keyid="…";tag="miniseal-gateway"
 * ```
 */
import { ProtocolError, refuseFormat } from '../errors.ts'
import type { Field, RequestMessage } from '../frames/binary-http.ts'
import { findField } from '../frames/binary-http.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { signatureTags } from '../primitives/suite.ts'
import { decodeBase64Url, encodeBase64Url } from '../text.ts'
import { componentItem } from './signature-base.ts'
import type { MessageSigner, SignatureProfile } from './signature-profile.ts'
import { parseSignature, signMessage, tagOf } from './signature-profile.ts'
import type { RequestSignature } from './signed-request.ts'
import { requestProfile } from './signed-request.ts'
import type { Dictionary, InnerList, Item } from './structured-fields.ts'
import { parseDictionary, serializeDictionary } from './structured-fields.ts'

/** The label of the service's signature. */
export const gatewayLabel = 'gateway'

const callerField = 'miniseal-caller'
const deviceKeyField = 'miniseal-device-key'

const gatewayProfile: SignatureProfile = {
  tag: signatureTags.gateway,
  label: gatewayLabel,
  parameters: requestProfile.parameters,
  fixedOrder: requestProfile.fixedOrder,
  components: (context) => [
    ...requestProfile.components(context),
    componentItem(callerField),
    componentItem(deviceKeyField),
  ],
}

/** The members of `miniseal-caller`. Printable ASCII. */
export interface CallerClaims {
  /** The pairwise subject. */
  readonly user: string
  /** Thumbprint of the device key. */
  readonly device: string
  /** base64url of the session id. */
  readonly session: string
  /** The mini program's appid. */
  readonly app: string
  /** How the user was authenticated for this request: `session` or `soter`. */
  readonly acr: string
}

/** The verified caller of a request. */
export interface Caller {
  /** The pairwise subject. */
  readonly user: string
  /** Thumbprint of the device key. */
  readonly device: string
  /** base64url of the session id. */
  readonly session: string
  /** The mini program's appid. */
  readonly appid: string
  /** How the user was authenticated for this request: `session`, or `soter` after a biometric confirmation. */
  readonly acr: 'session' | 'soter'
  readonly signature: SignatureEvidence
}

/** The device's signature of a request, as evidence for third parties. */
export interface SignatureEvidence {
  readonly keyid: string
  /** The device's Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array
  /** The signed text (RFC 9421, section 2.5). */
  readonly base: string
  readonly signature: Uint8Array
  /** UNIX seconds, by the device's clock. */
  readonly created: number
}

const claimNames = ['user', 'device', 'session', 'app', 'acr'] as const

/**
 * Adds `miniseal-caller` and `miniseal-device-key`, and the member `gateway` to `signature-input` and `signature`. The
 * member `sig` is kept, strictly serialized; members of the client that imitate the service's are removed.
 *
 * @param message a verified request, without `miniseal-*` fields of the client
 * @param publicKey the device's, 32 bytes
 * @param created UNIX seconds
 * @param nonce 16 random bytes
 * @throws FormatError when a claim is not printable ASCII, or the signature fields of the request are malformed.
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
  const request: RequestMessage = {
    ...message,
    fields: [
      ...message.fields.filter(([name]) => name !== callerField && name !== deviceKeyField),
      [callerField, serializeCaller(caller)],
      [deviceKeyField, encodeBase64Url(publicKey)],
    ],
  }
  const member = signMessage(primitives, gatewayProfile, { request }, signer, created, nonce)
  return { ...request, fields: withMember(request.fields, member) }
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

function withMember(
  fields: readonly Field[],
  { input, signature }: { readonly input: string; readonly signature: string },
): readonly Field[] {
  const inputs = parseDictionary(findField(fields, 'signature-input') ?? '')
  const signatures = parseDictionary(findField(fields, 'signature') ?? '')
  const forged = forgedLabels(inputs, signatures)
  return [
    ...fields.filter(([name]) => name !== 'signature-input' && name !== 'signature'),
    ['signature-input', `${serializedWithout(inputs, forged)}, ${gatewayLabel}=${input}`],
    ['signature', `${serializedWithout(signatures, forged)}, ${gatewayLabel}=${signature}`],
  ]
}

/** Attacker-controlled labels that imitate the service's. */
function forgedLabels(inputs: Dictionary, signatures: Dictionary): ReadonlySet<string> {
  const labels = [...inputs.keys(), ...signatures.keys()]
  return new Set(
    labels.filter((label) => {
      const member = inputs.get(label)
      return label === gatewayLabel || (member !== undefined && tagOf(member) === signatureTags.gateway)
    }),
  )
}

/** Serializes strictly, as it was signed. */
function serializedWithout(dictionary: Dictionary, labels: ReadonlySet<string>): string {
  return serializeDictionary(new Map([...dictionary].filter(([label]) => !labels.has(label))))
}

/** A gateway signature that matches its profile. It is not verified. */
export interface GatewaySignature extends RequestSignature {
  /** Covered by the signature. */
  readonly caller: CallerClaims
  /** The device's public key, 32 bytes; covered by the signature. */
  readonly publicKey: Uint8Array
}

/**
 * Parses the service's signature of an attacker-controlled request.
 *
 * @throws ProtocolError as {@link parseSignature}.
 */
export function parseGatewaySignature(request: RequestMessage): GatewaySignature {
  const signature = parseSignature(gatewayProfile, { request })
  const caller = parseCaller(findField(request.fields, callerField) ?? '')
  return { ...signature, caller, publicKey: parseDeviceKey(findField(request.fields, deviceKeyField) ?? '') }
}

function parseCaller(field: string): CallerClaims {
  const members = refuseFormat('signature_malformed', () => parseDictionary(field))
  if (members.size !== claimNames.length)
    throw new ProtocolError('signature_malformed', 'miniseal-caller has missing or unknown members')
  const claim = (name: string): string => stringOf(members.get(name))
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

function parseDeviceKey(field: string): Uint8Array {
  const key = refuseFormat('signature_malformed', () => decodeBase64Url(field))
  if (key.length !== 32) throw new ProtocolError('signature_malformed', 'miniseal-device-key is not 32 bytes')
  return key
}
