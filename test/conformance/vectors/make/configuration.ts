/** configuration.json: channel configurations and the verdict on each. */
import type { ChannelConfiguration, PublishedKey } from '../../../../crypto/frames/channel-configuration.ts'
import { configurationType, signConfiguration } from '../../../../crypto/frames/channel-configuration.ts'
import { keyThumbprint } from '../../../../crypto/primitives/thumbprint.ts'
import {
  decodeBase64Url,
  decodeUtf8,
  encodeAscii,
  encodeBase64Url,
  encodeHex,
  encodeUtf8,
} from '../../../../crypto/text.ts'
import { encodeVerifierKey } from '../../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import { withScalarRaised } from '../../../unit/crypto/crafted-signatures.ts'
import {
  agreementPair,
  flipped,
  maxFrame,
  nextService,
  now,
  root,
  service,
  stranger,
  window,
} from '../../../unit/crypto/fixed-inputs.ts'
import { logKey } from '../../../unit/crypto/note-inputs.ts'
import { jsonSigner } from './json.ts'

function published(publicKey: Uint8Array, curve: 'Ed25519' | 'X25519', nbf: number): PublishedKey {
  return { kid: keyThumbprint(primitives, publicKey, curve), publicKey, nbf, exp: 0 }
}

export const configuration: ChannelConfiguration = {
  iss: 'https://pay.example.com',
  iat: now,
  exp: now + 86400,
  version: 1,
  agreement: [
    published(agreementPair('agreement key').publicKey, 'X25519', now),
    published(agreementPair('coming agreement key').publicKey, 'X25519', now + 3600),
  ],
  signing: [published(service.publicKey, 'Ed25519', now), published(nextService.publicKey, 'Ed25519', now)],
  log: { origin: logKey.name, vkey: encodeVerifierKey(primitives, logKey) },
  window,
  maxFrame,
}

export const jws: string = signConfiguration(primitives, configuration, root)

const [headerPart = '', payloadPart = '', signaturePart = ''] = jws.split('.')
const header = { alg: 'EdDSA', typ: configurationType, kid: root.keyid }
const payload = JSON.parse(Buffer.from(payloadPart, 'base64url').toString()) as Record<string, unknown>
const part = (value: unknown): string => encodeBase64Url(encodeUtf8(JSON.stringify(value)))

/** A valid signature of the root key over any two parts. */
function signedParts(
  first: string,
  second: string,
  change = (signature: Uint8Array): Uint8Array => signature,
): string {
  const signature = primitives.ed25519Sign(encodeUtf8(`${first}.${second}`), root.secretKey)
  return `${first}.${second}.${encodeBase64Url(change(signature))}`
}

const withHeader = (value: unknown): string => signedParts(part(value), payloadPart)
const withPayload = (members: Record<string, unknown>): string =>
  signedParts(headerPart, part({ ...payload, ...members }))
const [agreementKey] = payload.agreement as Record<string, unknown>[]
const [signingKey] = payload.signing as Record<string, unknown>[]
const withAgreement = (members: Record<string, unknown>): string =>
  withPayload({ agreement: [{ ...agreementKey, ...members }] })
const log = payload.log as Record<string, unknown>
const withEnded = (ended: unknown): string => withPayload({ log: { ...log, ended } })
const endedKeys = Array.from({ length: 17 }, (_, i) =>
  encodeVerifierKey(primitives, { ...logKey, name: `pay.example.com/audit/2025-${20 - i}` }),
)
const [endedKey = ''] = endedKeys
const withSigning = (members: Record<string, unknown>): string =>
  withPayload({ signing: [signingKey, { ...signingKey, ...members }] })
const raw = (text: string): string => signedParts(headerPart, encodeBase64Url(encodeUtf8(text)))
const b64u = encodeBase64Url

/** `now` is the clock of the client, UNIX seconds. */
function judged(
  code: string | null,
  cases: readonly (readonly [title: string, jws: string, now?: number])[],
) {
  return cases.map(([title, text, at = now]) => ({ title, code, now: at, jws: text }))
}

const byStranger = signConfiguration(primitives, configuration, stranger)
const otherPayload = part({ ...payload, iss: 'https://evil.example.com' })

const refused = [
  ...judged('key_unknown', [
    ['signed by a key that is not pinned', byStranger],
    ['with the thumbprint of no key', withHeader({ ...header, kid: 'x' })],
    [
      'with the X25519 thumbprint of the root key',
      withHeader({ ...header, kid: keyThumbprint(primitives, root.publicKey, 'X25519') }),
    ],
  ]),
  ...judged('signature_invalid', [
    [
      'signed by another key under the kid of the root',
      `${headerPart}.${payloadPart}.${byStranger.split('.')[2] ?? ''}`,
    ],
    ['whose payload was changed', `${headerPart}.${otherPayload}.${signaturePart}`],
    ['with a bit of the signature flipped', signedParts(headerPart, payloadPart, (s) => flipped(s, 63))],
    [
      'with S raised by the group order',
      signedParts(headerPart, payloadPart, (s) => withScalarRaised(s, 1n)),
    ],
    ['with a signature of 63 bytes', signedParts(headerPart, payloadPart, (s) => s.slice(0, 63))],
    ['without the bytes of a signature', `${headerPart}.${payloadPart}.`],
  ]),
  ...judged('payload_invalid', [
    ['that is empty', ''],
    ['of two parts', `${headerPart}.${payloadPart}`],
    ['of four parts', `${jws}.AA`],
    ['with a padded signature', `${jws}==`],
    ['with a line feed at the end', `${jws}\n`],
    ['whose payload is not ascii', `${headerPart}.é.${signaturePart}`],
    ['whose header is not base64url', `${headerPart}=.${payloadPart}.${signaturePart}`],
    ['whose header is not JSON', signedParts(b64u(encodeAscii('{')), payloadPart)],
    ['whose header is a list', withHeader([header])],
    ['of another typ', withHeader({ ...header, typ: 'JWT' })],
    ['without typ', withHeader({ alg: header.alg, kid: header.kid })],
    ['of alg none', withHeader({ ...header, alg: 'none' })],
    ['of alg Ed25519', withHeader({ ...header, alg: 'Ed25519' })],
    ['with one header member more', withHeader({ ...header, crit: [] })],
    [
      'with jwk in the header',
      withHeader({ ...header, jwk: { kty: 'OKP', crv: 'Ed25519', x: b64u(stranger.publicKey) } }),
    ],
    ['without kid', withHeader({ alg: header.alg, typ: header.typ, x: 1 })],
    ['with a number as kid', withHeader({ ...header, kid: 1 })],
    ['that ends now', withPayload({ exp: now })],
    ['that has ended', jws, now + 86400],
    ['whose payload is not JSON', raw('{"iss":')],
    ['whose payload is a list', raw('[]')],
    ['whose payload is null', raw('null')],
    ['whose payload is not UTF-8', signedParts(headerPart, b64u(Uint8Array.of(0x22, 0xff, 0x22)))],
    ['of version 2', withPayload({ version: 2 })],
    ['of version "1"', withPayload({ version: '1' })],
    ['with a path in iss', withPayload({ iss: 'https://pay.example.com/' })],
    ['with capitals in iss', withPayload({ iss: 'https://Pay.example.com' })],
    ['with a user in iss', withPayload({ iss: 'https://a@pay.example.com' })],
    ['with another scheme in iss', withPayload({ iss: 'wss://pay.example.com' })],
    ['without iss', withPayload({ iss: undefined })],
    ['with a negative iat', withPayload({ iat: -1 })],
    ['with exp as a string', withPayload({ exp: `${now + 60}` })],
    [
      'with exp over 2^53-1',
      raw(JSON.stringify(payload).replace(`"exp":${now + 86400}`, '"exp":9007199254740992')),
    ],
    ['without agreement keys', withPayload({ agreement: [] })],
    ['with an object of agreement keys', withPayload({ agreement: { 0: agreementKey } })],
    ['without signing keys', withPayload({ signing: undefined })],
    ['with null among the signing keys', withPayload({ signing: [signingKey, null] })],
    ['with a wrong kid of an agreement key', withAgreement({ kid: root.keyid })],
    ['with a wrong kid of a signing key', withSigning({ kid: nextService.keyid })],
    [
      'with the X25519 thumbprint of a signing key',
      withSigning({ kid: keyThumbprint(primitives, service.publicKey, 'X25519') }),
    ],
    ['with an agreement key of 31 bytes', withAgreement({ x: b64u(new Uint8Array(31)) })],
    ['with a padded agreement key', withAgreement({ x: `${String(agreementKey?.x)}=` })],
    ['with a signing key without nbf', withSigning({ nbf: undefined })],
    ['with a signing key that ends at null', withSigning({ exp: null })],
    ['without log', withPayload({ log: undefined })],
    ['with an empty vkey', withPayload({ log: { origin: logKey.name, vkey: '' } })],
    ['with null for the witness policy', withPayload({ log: { ...log, policy: null } })],
    ['with an empty witness policy', withPayload({ log: { ...log, policy: '' } })],
    ['with null for the ended logs', withEnded(null)],
    ['with a text for the ended logs', withEnded(endedKey)],
    ['with an object of ended logs', withEnded({ 0: endedKey, length: 1 })],
    ['with a number among the ended logs', withEnded([endedKey, 1])],
    ['with an empty text among the ended logs', withEnded(['', endedKey])],
    ['with 17 ended logs', withEnded(endedKeys)],
    ['without window', withPayload({ window: undefined })],
    ['with a window as a list', withPayload({ window: [120, 10] })],
    ['with a negative window', withPayload({ window: { past: -1, future: 10 } })],
    ['with a window of a fraction', withPayload({ window: { past: 0.5, future: 10 } })],
    ['with half a window', withPayload({ window: { past: 120 } })],
    ['without max_frame', withPayload({ max_frame: undefined })],
    ['with max_frame as a string', withPayload({ max_frame: '1048576' })],
  ]),
]

const accepted = judged(null, [
  ['as the service signs it', jws],
  ['in its last second', jws, now + 86399],
  ['with members that are not known', withPayload({ motd: 'x' })],
  [
    'with the header members in another order',
    withHeader({ kid: root.keyid, typ: configurationType, alg: 'EdDSA' }),
  ],
  ['with a port in iss', withPayload({ iss: 'http://127.0.0.1:8080' })],
  ['with an ended log', withEnded([endedKey])],
  ['with 16 ended logs', withEnded(endedKeys.slice(0, 16))],
  ['with a list of no ended logs', withEnded([])],
])

export function configurationVectors() {
  const text = (part: string): string => decodeUtf8(decodeBase64Url(part))
  return {
    /** The only pinned key. */
    root: jsonSigner(root),
    header: text(headerPart),
    payload: text(payloadPart),
    signature: encodeHex(decodeBase64Url(signaturePart)),
    accepted,
    refused,
  }
}
