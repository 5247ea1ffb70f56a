/** keys.json: thumbprints, and where Ed25519 and X25519 are stricter than many libraries. */

import { keyThumbprint } from '../../../../crypto/primitives/thumbprint.ts'
import { encodeHex, encodeUtf8 } from '../../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../../service/keys/sodium-primitives.ts'
import type { CraftedSignature } from '../../../unit/crypto/crafted-signatures.ts'
import {
  forgeForSmallOrderKey,
  honestKey,
  littleEndian,
  mixedOrderKeys,
  orderEight,
  signWithSmallOrderR,
  signWithTorsion,
  smallOrderEncodings,
  smallOrderInputs,
  torsionPoints,
  withScalarRaised,
} from '../../../unit/crypto/crafted-signatures.ts'
import { agreementPair, device, fixed, flipped, stranger } from '../../../unit/crypto/fixed-inputs.ts'

const hex = encodeHex
const fieldPrime = (1n << 255n) - 19n
const [identity = honestKey] = torsionPoints

/** `device_keys`: whether a device may enrol with the key. `shared` is null where the result is all zero and refused. */
export function keyVectors() {
  return {
    thumbprints: thumbprints(),
    signatures: signatures(),
    device_keys: deviceKeys(),
    x25519: agreements(),
  }
}

function thumbprints() {
  const agreementKey = agreementPair('agreement key').publicKey
  const keys = [
    ['Ed25519', device.publicKey],
    ['Ed25519', stranger.publicKey],
    ['X25519', agreementKey],
  ] as const
  return keys.map(([crv, key]) => ({
    crv,
    public_key: hex(key),
    jwk: `{"crv":"${crv}","kty":"OKP","x":"${Buffer.from(key).toString('base64url')}"}`,
    thumbprint: keyThumbprint(primitives, key, crv),
  }))
}

function signatures() {
  const message = encodeUtf8('miniseal')
  const signature = primitives.ed25519Sign(message, device.secretKey)
  const of = (s: Uint8Array, publicKey = device.publicKey, m = message): CraftedSignature => {
    return { signature: s, message: m, publicKey }
  }
  const cases: readonly (readonly [string, boolean, CraftedSignature])[] = [
    ['a good signature', true, of(signature)],
    ['a good signature with noble point arithmetic', true, signWithTorsion(identity, identity, message)],
    ['another message', false, of(signature, device.publicKey, encodeUtf8('Miniseal'))],
    ['another key', false, of(signature, stranger.publicKey)],
    ['a flipped bit in R', false, of(flipped(signature, 3))],
    ['a flipped bit in S', false, of(flipped(signature, 40))],
    ...[1n, 2n, 14n].map((times) => {
      return [`S + ${times}L`, false, of(withScalarRaised(signature, times))] as const
    }),
    ['63 bytes', false, of(signature.slice(0, 63))],
    ['65 bytes', false, of(Uint8Array.of(...signature, 0))],
    ...smallOrderEncodings.map((key) => {
      return [`a key of small order ${hex(key)}`, false, forgeForSmallOrderKey(key)] as const
    }),
    ...smallOrderEncodings.map((r) => [`R of small order ${hex(r)}`, false, signWithSmallOrderR(r)] as const),
    ['R with a part of small order', false, signWithTorsion(orderEight, identity, message)],
    ['a key that is no point', false, of(signature, littleEndian(2n))],
    ['a key with y = p + 3', false, of(signature, littleEndian(fieldPrime + 3n))],
  ]
  return cases.map(([title, valid, made]) => ({
    title,
    public_key: hex(made.publicKey),
    message: hex(made.message),
    signature: hex(made.signature),
    valid,
  }))
}

function deviceKeys() {
  const key = (title: string, publicKey: Uint8Array, valid = false) => {
    return { title, public_key: hex(publicKey), valid }
  }
  return [
    key('a device key', device.publicKey, true),
    key('another key of prime order', honestKey.toBytes(), true),
    key('the negative of it', honestKey.negate().toBytes(), true),
    ...smallOrderEncodings.map((encoding) => key('of small order', encoding)),
    ...mixedOrderKeys.map((point) => key('with a part of small order', point.toBytes())),
    key('no point', littleEndian(2n)),
    key('y = p + 3', littleEndian(fieldPrime + 3n)),
    key('31 bytes', device.publicKey.slice(0, 31)),
  ]
}

function agreements() {
  const secret = fixed('agreement key')
  const shared = (publicKey: Uint8Array): string => hex(primitives.x25519(secret, publicKey))
  const { publicKey } = agreementPair('ephemeral key of the client')
  return [
    { secret: hex(secret), public_key: hex(publicKey), shared: shared(publicKey) },
    { secret: hex(secret), public_key: hex(littleEndian(9n)), shared: shared(littleEndian(9n)) },
    ...smallOrderInputs.map((input) => ({ secret: hex(secret), public_key: hex(input), shared: null })),
  ]
}
