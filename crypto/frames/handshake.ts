/**
 * The handshake: one frame in each direction, authenticated by the service's agreement key and by the device's signature in
 * the sealed login message (protocol, sections 4 and 6).
 *
 * ```
 * es  = X25519(e_c, S)             ee = X25519(e_c, e_s)
 * K1  = HKDF(es, H("miniseal/1" ‖ S_pub ‖ e_c_pub), "miniseal/1 handshake request")
 * th  = H( lp("miniseal/1") ‖ lp(S_pub) ‖ H(request frame) ‖ H(request plaintext) ‖ e_s_pub )
 * K2, c2s, s2c = HKDF(es ‖ ee, th, label of each)
 * ```
 */
import { byteAt, concatBytes, equalBytes, lengthPrefixed, wipe } from '../bytes.ts'
import { FormatError, ProtocolError } from '../errors.ts'
import type { Primitives } from '../primitives/primitives.ts'
import { suite1 } from '../primitives/suite.ts'
import { encodeAscii } from '../text.ts'
import type { HandshakeRequestFrame, HandshakeResponseFrame } from './frame.ts'
import { encodeFrame } from './frame.ts'
import type { SessionKeys } from './session-keys.ts'

const name: Uint8Array = encodeAscii(suite1.name)

/** An X25519 key pair, 32 bytes each. */
export interface AgreementKeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

/** The state of either end between the two frames. Secret; {@link deriveSession} consumes it. */
export interface HandshakeState {
  readonly agreementKey: Uint8Array
  readonly es: Uint8Array
  readonly requestHash: Uint8Array
  readonly plaintextHash: Uint8Array
}

/** `kid8`: the first 8 bytes of the SHA-256 of an agreement key. */
export function agreementKeyHint(primitives: Primitives, publicKey: Uint8Array): Uint8Array {
  return primitives.sha256(publicKey).slice(0, suite1.keyHintLength)
}

/**
 * Client, first step: seals the padded login message.
 *
 * @param ephemeral a new random key pair for this handshake; the caller wipes it after the second step
 * @param nonce 24 random bytes
 * @throws ProtocolError `cannot_open` for an invalid agreement key.
 */
export function sealHandshakeRequest(
  primitives: Primitives,
  agreementKey: Uint8Array,
  ephemeral: AgreementKeyPair,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): { readonly frame: Uint8Array; readonly state: HandshakeState } {
  const es = agree(primitives, ephemeral.secretKey, agreementKey)
  const key = requestKey(primitives, es, agreementKey, ephemeral.publicKey)
  const box = primitives.secretboxSeal(plaintext, nonce, key)
  const keyHint = agreementKeyHint(primitives, agreementKey)
  const frame = encodeFrame({
    kind: 'handshake-request',
    keyHint,
    ephemeral: ephemeral.publicKey,
    nonce,
    box,
  })
  wipe(key)
  return { frame, state: stateOf(primitives, agreementKey, es, frame, plaintext) }
}

/**
 * Service, first step: opens the login message.
 *
 * @throws ProtocolError `cannot_open` for a small-order or non-canonical ephemeral key and for a box that does not open;
 *   the error does not depend on which byte is wrong.
 */
export function openHandshakeRequest(
  primitives: Primitives,
  agreement: AgreementKeyPair,
  frame: HandshakeRequestFrame,
): { readonly plaintext: Uint8Array; readonly state: HandshakeState } {
  const es = agree(primitives, agreement.secretKey, frame.ephemeral)
  const key = requestKey(primitives, es, agreement.publicKey, frame.ephemeral)
  const plaintext = primitives.secretboxOpen(frame.box, frame.nonce, key)
  wipe(key)
  if (plaintext === undefined) throw cannotOpen()
  return { plaintext, state: stateOf(primitives, agreement.publicKey, es, encodeFrame(frame), plaintext) }
}

/** The keys of a finished handshake: those of the session, and the key of frame 0x02. */
export interface HandshakeKeys {
  readonly session: SessionKeys
  readonly responseKey: Uint8Array
}

/**
 * Second step, both ends.
 *
 * @param secretKey the own ephemeral secret
 * @param peer the ephemeral public key of the other end
 * @param serviceEphemeral `e_s_pub`
 * @throws ProtocolError `cannot_open` for an invalid `peer`.
 */
export function deriveSession(
  primitives: Primitives,
  state: HandshakeState,
  secretKey: Uint8Array,
  peer: Uint8Array,
  serviceEphemeral: Uint8Array,
): HandshakeKeys {
  const ee = agree(primitives, secretKey, peer)
  const ikm = concatBytes(state.es, ee)
  const transcript = primitives.sha256(
    concatBytes(
      lengthPrefixed(name),
      lengthPrefixed(state.agreementKey),
      state.requestHash,
      state.plaintextHash,
      serviceEphemeral,
    ),
  )
  const derive = (label: string): Uint8Array => primitives.hkdf(ikm, transcript, encodeAscii(label))
  const keys = {
    session: { c2s: derive(suite1.labels.clientToService), s2c: derive(suite1.labels.serviceToClient) },
    responseKey: derive(suite1.labels.handshakeResponse),
  }
  wipe(ee)
  wipe(ikm)
  wipe(state.es)
  return keys
}

/** Service: frame 0x02. `nonce` is 24 random bytes. */
export function sealHandshakeResponse(
  primitives: Primitives,
  responseKey: Uint8Array,
  serviceEphemeral: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const box = primitives.secretboxSeal(plaintext, nonce, responseKey)
  return encodeFrame({ kind: 'handshake-response', ephemeral: serviceEphemeral, nonce, box })
}

/** Client: the plaintext of frame 0x02. @throws ProtocolError `cannot_open`. */
export function openHandshakeResponse(
  primitives: Primitives,
  responseKey: Uint8Array,
  frame: HandshakeResponseFrame,
): Uint8Array {
  const plaintext = primitives.secretboxOpen(frame.box, frame.nonce, responseKey)
  if (plaintext === undefined) throw cannotOpen()
  return plaintext
}

/**
 * H("miniseal/1" ‖ S_pub ‖ e_c_pub): identifies a handshake. The sealed login message repeats it (member `handshake`,
 * protocol, section 6), which binds the device's signature to this handshake.
 */
export function handshakeHash(
  primitives: Primitives,
  agreementKey: Uint8Array,
  clientEphemeral: Uint8Array,
): Uint8Array {
  return primitives.sha256(concatBytes(name, agreementKey, clientEphemeral))
}

function requestKey(
  primitives: Primitives,
  es: Uint8Array,
  agreementKey: Uint8Array,
  clientEphemeral: Uint8Array,
): Uint8Array {
  const salt = handshakeHash(primitives, agreementKey, clientEphemeral)
  return primitives.hkdf(es, salt, encodeAscii(suite1.labels.handshakeRequest))
}

function stateOf(
  primitives: Primitives,
  agreementKey: Uint8Array,
  es: Uint8Array,
  frame: Uint8Array,
  plaintext: Uint8Array,
): HandshakeState {
  return {
    agreementKey,
    es,
    requestHash: primitives.sha256(frame),
    plaintextHash: primitives.sha256(plaintext),
  }
}

/** X25519 with an attacker-controlled public key. Rejects non-canonical keys and an all-zero result. */
function agree(primitives: Primitives, secretKey: Uint8Array, publicKey: Uint8Array): Uint8Array {
  if (!isCanonicalAgreementKey(publicKey)) throw cannotOpen()
  try {
    return primitives.x25519(secretKey, publicKey)
  } catch (error) {
    if (error instanceof FormatError) throw cannotOpen()
    throw error
  }
}

/**
 * True for the canonical encoding of a u-coordinate: below 2^255 - 19, top bit clear. RFC 7748 allows receivers to accept
 * others, but two encodings of one key would give one handshake two transcripts.
 */
export function isCanonicalAgreementKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== suite1.keyLength) return false
  if (byteAt(publicKey, 31) > 0x7f) return false
  const middle = publicKey.subarray(1, 31)
  const isAllOnes = equalBytes(middle, new Uint8Array(30).fill(0xff))
  return !(byteAt(publicKey, 31) === 0x7f && isAllOnes && byteAt(publicKey, 0) >= 0xed)
}

function cannotOpen(): ProtocolError {
  return new ProtocolError('cannot_open', 'the frame cannot be opened')
}
