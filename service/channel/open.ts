/** From bytes to an opened frame. What fails here is answered in the clear: there is nothing to seal an answer with. */
import { wipe } from 'miniseal-protocol/bytes'
import { ProtocolError } from 'miniseal-protocol/errors'
import type { HandshakeRequestFrame, RequestFrame } from 'miniseal-protocol/frames/frame'
import { parseFrame } from 'miniseal-protocol/frames/frame'
import { deriveSession, handshakeHash, openHandshakeRequest } from 'miniseal-protocol/frames/handshake'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { openRequest } from 'miniseal-protocol/frames/session-keys'
import { atStep, atStepAsync } from '../problems/problem-error.ts'
import type { SessionRecord } from '../store/sessions.ts'
import type { ExchangeContext, NotedRisk } from './context.ts'

/** Bytes of the largest frame of a login: its content, its fields and their padding, with room to spare. */
const maxHandshakeFrame = 65_536

/** A login: the keys are those of the session that it may become. */
export interface OpenedHandshake {
  readonly kind: 'handshake'
  readonly plaintext: Uint8Array
  readonly keys: SessionKeys
  /** Seals frame 0x02. */
  readonly responseKey: Uint8Array
  readonly serviceEphemeral: Uint8Array
  /** What the login must say that it was signed for. */
  readonly handshakeHash: Uint8Array
  /** The address group that sent it. */
  readonly source: string
  /** For the log line: written while the login is answered. */
  readonly notes: { risk?: NotedRisk }
}

/** A request within a session, which may have ended: its answer can be sealed all the same. */
export interface OpenedRequest {
  readonly kind: 'request'
  readonly plaintext: Uint8Array
  readonly keys: SessionKeys
  readonly session: SessionRecord
  /** Of the frame; the answer's key is bound to it. */
  readonly nonce: Uint8Array
}

export type OpenedFrame = OpenedHandshake | OpenedRequest

/**
 * Opens attacker-controlled bytes.
 *
 * @throws Refusal `malformed_frame`, `frame_too_large`, `unknown_agreement_key`, `unknown_session`, `cannot_open` or, for too many
 *   handshakes of one source, `overloaded`.
 */
export async function openFrame(
  context: ExchangeContext,
  bytes: Uint8Array,
  source: string,
): Promise<OpenedFrame> {
  const frame = atStep('frame', () => parseFrame(bytes, context.settings.maxFrame))
  switch (frame.kind) {
    case 'handshake-request':
      atStep('frame', () => assertLoginSize(bytes))
      // Before any cryptography: a stranger's handshake is the dearest frame there is.
      await atStepAsync('limits', () => context.limits.countHandshake(source))
      return await openHandshake(context, frame, source)
    case 'request':
      return await openSessionRequest(context, frame)
    case 'handshake-response':
    case 'response':
    case 'event':
    case 'refusal':
      return atStep('frame', () => {
        throw new ProtocolError('malformed_frame', 'a client does not send frames of this type')
      })
  }
}

function assertLoginSize({ length }: Uint8Array): void {
  if (length > maxHandshakeFrame)
    throw new ProtocolError('frame_too_large', `the frame of a login has at most ${maxHandshakeFrame} bytes`)
}

async function openHandshake(
  context: ExchangeContext,
  frame: HandshakeRequestFrame,
  source: string,
): Promise<OpenedHandshake> {
  const { primitives } = context
  const agreement = await atStepAsync('session', async () => {
    const key = await context.keyring.findAgreement(frame.keyHint, context.now())
    if (key === undefined) throw new ProtocolError('unknown_agreement_key', 'the agreement key is not in use')
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
    if (found === undefined) throw new ProtocolError('unknown_session', 'the session is not known')
    return found
  })
  return atStep('open', () => {
    const plaintext = openRequest(context.primitives, keys, frame)
    return { kind: 'request', plaintext, keys, session: record, nonce: frame.nonce }
  })
}
