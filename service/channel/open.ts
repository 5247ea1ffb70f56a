/** Open: from bytes to an opened frame. A refusal here is sent in the clear, because there is no key to seal it with. */
import { wipe } from 'miniseal-protocol/bytes'
import { type HandshakeRequestFrame, parseFrame, type RequestFrame } from 'miniseal-protocol/frames/frame'
import { deriveSession, handshakeHash, openHandshakeRequest } from 'miniseal-protocol/frames/handshake'
import { openRequest, type SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { atStep, atStepAsync, ProblemError } from '../problems/problem-error.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { ExchangeContext, ObservedRisk } from './context.ts'

/** Bytes of a login frame, with its content, fields and padding. */
const maxHandshakeFrame = 65_536

export interface OpenedHandshake {
  readonly kind: 'handshake'
  readonly plaintext: Uint8Array
  /** The keys of the session that the login opens. */
  readonly keys: SessionKeys
  /** Seals frame 0x02. */
  readonly responseKey: Uint8Array
  readonly serviceEphemeral: Uint8Array
  /** The login must be signed for this handshake. */
  readonly handshakeHash: Uint8Array
  /** The address group of the sender. */
  readonly source: string
  /** For the log line; written while the login is handled. */
  readonly notes: { risk?: ObservedRisk }
}

/** A request within a session. The session may have ended; its answer can still be sealed. */
export interface OpenedRequest {
  readonly kind: 'request'
  readonly plaintext: Uint8Array
  readonly keys: SessionKeys
  readonly session: SessionRecord
  /** The nonce of the frame; the key of the answer is bound to it. */
  readonly nonce: Uint8Array
}

export type OpenedFrame = OpenedHandshake | OpenedRequest

/**
 * Opens attacker-controlled bytes.
 *
 * @throws Refusal `malformed_frame`, `frame_too_large`, `unknown_agreement_key`, `unknown_session` or `cannot_open`;
 *   `overloaded` for too many handshakes from one source.
 */
export async function openFrame(
  context: ExchangeContext,
  bytes: Uint8Array,
  source: string,
): Promise<OpenedFrame> {
  const frame = atStep('frame', () => parseFrame(bytes, context.settings.maxFrame))
  switch (frame.kind) {
    case 'handshake-request':
      atStep('frame', () => assertHandshakeSize(bytes))
      // Before any key agreement: a handshake is the most expensive frame that an unauthenticated sender can send.
      await atStepAsync('limits', () => context.limits.countHandshake(source))
      return await openHandshake(context, frame, source)
    case 'request':
      return await openSessionRequest(context, frame)
    case 'handshake-response':
    case 'response':
    case 'event':
    case 'refusal':
      return atStep('frame', () => {
        throw new ProblemError('malformed_frame', 'a client does not send frames of this type')
      })
  }
}

function assertHandshakeSize({ length }: Uint8Array): void {
  if (length > maxHandshakeFrame)
    throw new ProblemError('frame_too_large', `the frame of a login has at most ${maxHandshakeFrame} bytes`)
}

async function openHandshake(
  context: ExchangeContext,
  frame: HandshakeRequestFrame,
  source: string,
): Promise<OpenedHandshake> {
  const { primitives } = context
  const agreement = await atStepAsync('session', async () => {
    const key = await context.keyring.findAgreement(frame.keyHint, context.now())
    if (key === undefined) throw new ProblemError('unknown_agreement_key', 'the agreement key is not in use')
    return key
  })
  return atStep('open', () => {
    const { plaintext, state } = openHandshakeRequest(primitives, agreement, frame)
    const secret = context.random(32)
    const serviceEphemeral = primitives.x25519PublicKey(secret)
    const { session, responseKey } = deriveSession(
      primitives,
      state,
      secret,
      frame.ephemeral,
      serviceEphemeral,
    )
    wipe(secret)
    return {
      kind: 'handshake',
      plaintext,
      keys: session,
      responseKey,
      serviceEphemeral,
      handshakeHash: handshakeHash(primitives, agreement.publicKey, frame.ephemeral),
      source,
      notes: {},
    }
  })
}

async function openSessionRequest(context: ExchangeContext, frame: RequestFrame): Promise<OpenedRequest> {
  const { record, keys } = await atStepAsync('session', async () => {
    const found = await context.sessions.find(frame.sessionId)
    if (found === undefined) throw new ProblemError('unknown_session', 'the session is not known')
    return found
  })
  return atStep('open', () => {
    const plaintext = openRequest(context.primitives, keys, frame)
    return { kind: 'request', plaintext, keys, session: record, nonce: frame.nonce }
  })
}
