/**
 * The key schedule of the protocol's section 4, written out once more from the page, with every step visible; and frames
 * with valid boxes for keys that must be refused.
 */
import type { AgreementKeyPair } from '../../../crypto/frames/handshake.ts'
import { encodeAscii } from '../../../crypto/text.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'

const { sha256, hkdf, secretboxSeal } = primitives
const ascii = encodeAscii
const join = (...parts: readonly Uint8Array[]): Uint8Array =>
  Uint8Array.from(parts.flatMap((part) => [...part]))
const lp = (bytes: Uint8Array): Uint8Array =>
  join(Uint8Array.of(bytes.length >> 8, bytes.length & 0xff), bytes)

/** All that goes into one handshake. */
export interface HandshakeInputs {
  readonly agreement: AgreementKeyPair
  readonly client: AgreementKeyPair
  readonly service: AgreementKeyPair
  readonly requestNonce: Uint8Array
  readonly requestPlaintext: Uint8Array
  readonly responseNonce: Uint8Array
  readonly responsePlaintext: Uint8Array
}

/** Every value on the way. */
export interface HandshakeSteps {
  readonly kid8: Uint8Array
  readonly es: Uint8Array
  readonly k1Salt: Uint8Array
  readonly k1: Uint8Array
  readonly requestFrame: Uint8Array
  readonly requestFrameHash: Uint8Array
  readonly requestPlaintextHash: Uint8Array
  readonly ee: Uint8Array
  readonly th: Uint8Array
  readonly k2: Uint8Array
  readonly c2s: Uint8Array
  readonly s2c: Uint8Array
  readonly responseFrame: Uint8Array
}

/** Replacements for what an honest end computes. */
export interface Forged {
  readonly es?: Uint8Array
  readonly ee?: Uint8Array
  /** Instead of the public keys of the client and the service, on the wire and in every hash. */
  readonly clientPublic?: Uint8Array
  readonly servicePublic?: Uint8Array
  /** Changes K1 or K2. */
  readonly k1?: (steps: { es: Uint8Array; k1: Uint8Array }) => Uint8Array
  readonly k2?: (steps: { es: Uint8Array; ee: Uint8Array; k1: Uint8Array; k2: Uint8Array }) => Uint8Array
  /** The plaintext that goes into `th`. */
  readonly hashedPlaintext?: Uint8Array
}

export function handshakeSteps(inputs: HandshakeInputs, forged: Forged = {}): HandshakeSteps {
  const S = inputs.agreement.publicKey
  const eC = forged.clientPublic ?? inputs.client.publicKey
  const eS = forged.servicePublic ?? inputs.service.publicKey
  const es = forged.es ?? primitives.x25519(inputs.client.secretKey, S)
  const ee = forged.ee ?? primitives.x25519(inputs.client.secretKey, inputs.service.publicKey)
  const kid8 = sha256(S).slice(0, 8)
  const k1Salt = sha256(join(ascii('miniseal/1'), S, eC))
  const rightK1 = hkdf(es, k1Salt, ascii('miniseal/1 handshake request'))
  const k1 = forged.k1?.({ es, k1: rightK1 }) ?? rightK1
  const requestBox = secretboxSeal(inputs.requestPlaintext, inputs.requestNonce, k1)
  const requestFrame = join(Uint8Array.of(1, 1), kid8, eC, inputs.requestNonce, requestBox)
  const requestFrameHash = sha256(requestFrame)
  const requestPlaintextHash = sha256(forged.hashedPlaintext ?? inputs.requestPlaintext)
  const th = sha256(join(lp(ascii('miniseal/1')), lp(S), requestFrameHash, requestPlaintextHash, eS))
  const key = (label: string): Uint8Array => hkdf(join(es, ee), th, ascii(label))
  const rightK2 = key('miniseal/1 handshake response')
  const k2 = forged.k2?.({ es, ee, k1, k2: rightK2 }) ?? rightK2
  const responseBox = secretboxSeal(inputs.responsePlaintext, inputs.responseNonce, k2)
  return {
    kid8,
    es,
    k1Salt,
    k1,
    requestFrame,
    requestFrameHash,
    requestPlaintextHash,
    ee,
    th,
    k2,
    c2s: key('miniseal/1 client to service'),
    s2c: key('miniseal/1 service to client'),
    responseFrame: join(Uint8Array.of(1, 2), eS, inputs.responseNonce, responseBox),
  }
}
