/**
 * A service in memory, for what a real one does only on a bad day: rotated keys, ended sessions, refused logins. It
 * speaks the protocol through `crypto/`; its decisions are the test's.
 */
import { randomBytes } from 'node:crypto'
import type { RequestMessage, ResponseMessage } from '../../../crypto/frames/binary-http.ts'
import { encodeResponse, parseRequest } from '../../../crypto/frames/binary-http.ts'
import { signConfiguration } from '../../../crypto/frames/channel-configuration.ts'
import { type HandshakeRequestFrame, parseFrame, type RequestFrame } from '../../../crypto/frames/frame.ts'
import type { AgreementKeyPair } from '../../../crypto/frames/handshake.ts'
import {
  agreementKeyHint,
  deriveSession,
  openHandshakeRequest,
  sealHandshakeResponse,
} from '../../../crypto/frames/handshake.ts'
import { padMessage } from '../../../crypto/frames/padding.ts'
import { openRequest, type SessionKeys, sealResponse } from '../../../crypto/frames/session-keys.ts'
import {
  assertInWindow,
  assertSignature,
  parseRequestSignature,
} from '../../../crypto/http-signatures/signed-request.ts'
import { signResponse } from '../../../crypto/http-signatures/signed-response.ts'
import type { Ed25519KeyPair, Primitives } from '../../../crypto/primitives/primitives.ts'
import { keyThumbprint } from '../../../crypto/primitives/thumbprint.ts'
import { decodeBase64Url, decodeUtf8, encodeBase64Url, encodeUtf8 } from '../../../crypto/text.ts'
import type {
  Transport,
  TransportAnswer,
  TransportRequest,
} from '../../../miniprogram/client/transports/transport.ts'

import { clearAnswer, frameAnswer, json, problem } from './scripted-answers.ts'

/** What its documents say of the time: no client may believe it, but only the `created` of a verified signature. */
const wrongTime = 1

export const origin = 'https://pay.example.com'

interface ServiceSession {
  readonly id: Uint8Array
  readonly keys: SessionKeys
  readonly deviceKey: Uint8Array
  isEnded: boolean
}

/** A JSON answer, or the code of a refusal. */
export type ScriptedResponse = ResponseMessage | string | undefined

export class ScriptedService implements Transport {
  readonly primitives: Primitives
  readonly root: Ed25519KeyPair
  /** Everything that was opened and verified, logins too. */
  readonly received: RequestMessage[] = []
  /** The login codes that were received. */
  readonly codes: string[] = []
  /** Outer requests: method and path. */
  readonly sent: string[] = []
  /** What the test decides about a verified request; `undefined` is an empty success. */
  decide: (request: RequestMessage) => ScriptedResponse = () => undefined
  /** Stands in the way of everything that is sent. */
  intercept: (
    request: TransportRequest,
    pass: () => TransportAnswer,
  ) => Promise<TransportAnswer> | TransportAnswer = (_request, pass) => pass()
  /** UNIX seconds. */
  time: number = Math.floor(Date.now() / 1000)
  iss: string = origin
  /** The verifier key of the log, as it is published. */
  logKey = 'example'
  /** Those of logs that have ended. */
  endedLogKeys: readonly string[] = []
  /** Who logs in. */
  user = 'user-1'
  tokenLifetime = 600
  sessionLifetime = 7200
  /** When the published signing key ends, UNIX seconds; 0 for never. */
  signingKeyEnds = 0
  private agreement: AgreementKeyPair
  private signing: Ed25519KeyPair
  private sessions: ServiceSession[] = []

  constructor(primitives: Primitives) {
    this.primitives = primitives
    this.root = primitives.ed25519KeyPair(randomBytes(32))
    this.signing = primitives.ed25519KeyPair(randomBytes(32))
    this.agreement = agreementKeyPair(primitives)
  }

  rotateSigningKey(): void {
    this.signing = this.primitives.ed25519KeyPair(randomBytes(32))
  }

  rotateAgreementKey(): void {
    this.agreement = agreementKeyPair(this.primitives)
  }

  /** As after a revocation: the keys are known, the session is over. */
  endSessions(): void {
    for (const session of this.sessions) session.isEnded = true
  }

  /** As after a pruned store. */
  forgetSessions(): void {
    this.sessions = []
  }

  async send(request: TransportRequest): Promise<TransportAnswer> {
    this.sent.push(`${request.method} ${request.url.slice(origin.length)}`)
    return this.intercept(request, () => this.answer(request))
  }

  /** Present when the test gives it sockets, see `scripted-sockets.ts`. */
  connect?: NonNullable<Transport['connect']>

  /** A frame 0x03 of a socket: its answer, and with which keys and for what. */
  answerFrame(bytes: Uint8Array): {
    readonly answer: TransportAnswer
    readonly keys: SessionKeys | undefined
    readonly request: RequestMessage | undefined
  } {
    const frame = parseFrame(bytes, 1_048_576)
    if (frame.kind !== 'request') throw new Error('not a request')
    const count = this.received.length
    const answer = this.answerRequest(frame)
    const session = this.sessions.find(({ id }) => Buffer.compare(id, frame.sessionId) === 0)
    return { answer, keys: session?.keys, request: this.received[count] }
  }

  private answer({ url, body }: TransportRequest): TransportAnswer {
    if (url === `${origin}/.well-known/miniseal`) {
      return {
        status: 200,
        headers: { 'content-type': 'application/jose' },
        body: encodeUtf8(this.configuration()),
      }
    }
    const frame = parseFrame(body ?? new Uint8Array(0), 1_048_576)
    switch (frame.kind) {
      case 'handshake-request':
        return this.answerHandshake(frame)
      case 'request':
        return this.answerRequest(frame)
      default:
        return clearAnswer(400, 'malformed_frame')
    }
  }

  private configuration(): string {
    const key = (publicKey: Uint8Array, curve: 'Ed25519' | 'X25519', exp = 0) => {
      return { kid: keyThumbprint(this.primitives, publicKey, curve), publicKey, nbf: 0, exp }
    }
    const configuration = {
      iss: this.iss,
      iat: this.time,
      exp: this.time + 86_400,
      version: 1 as const,
      agreement: [key(this.agreement.publicKey, 'X25519')],
      signing: [key(this.signing.publicKey, 'Ed25519', this.signingKeyEnds)],
      log: { origin: 'pay.example.com/audit', vkey: this.logKey, ended: this.endedLogKeys },
      window: { past: 120, future: 10 },
      maxFrame: 1_048_576,
    }
    return signConfiguration(this.primitives, configuration, this.root)
  }

  private answerHandshake(frame: HandshakeRequestFrame): TransportAnswer {
    const hint = agreementKeyHint(this.primitives, this.agreement.publicKey)
    if (Buffer.compare(hint, frame.keyHint) !== 0) return clearAnswer(409, 'unknown_agreement_key')
    const { plaintext, state } = openHandshakeRequest(this.primitives, this.agreement, frame)
    const request = parseRequest(plaintext)
    const body = JSON.parse(decodeUtf8(request.content))
    this.codes.push(body.code)
    const deviceKey = decodeBase64Url(body.device.x)
    const ephemeral = agreementKeyPair(this.primitives)
    const keys = deriveSession(
      this.primitives,
      state,
      ephemeral.secretKey,
      frame.ephemeral,
      ephemeral.publicKey,
    )
    const session = { id: randomBytes(16), keys: keys.session, deviceKey, isEnded: false }
    const response = this.respond(request, session, () => {
      this.sessions.push(session)
      return json(201, this.loginAnswer(session))
    })
    const sealed = padMessage(encodeResponse(response))
    const nonce = randomBytes(24)
    return frameAnswer(
      sealHandshakeResponse(this.primitives, keys.responseKey, ephemeral.publicKey, nonce, sealed),
    )
  }

  private loginAnswer(session: Pick<ServiceSession, 'id' | 'deviceKey'>): object {
    return {
      session: { id: encodeBase64Url(session.id), expires_at: this.time + this.sessionLifetime },
      user: this.user,
      device: { id: keyThumbprint(this.primitives, session.deviceKey), new: true },
      time: wrongTime,
      ...this.token(),
    }
  }

  private token(): object {
    const access_token = `token-${encodeBase64Url(randomBytes(6))}`
    return { access_token, token_type: 'HTTPSig', expires_in: this.tokenLifetime }
  }

  private answerRequest(frame: RequestFrame): TransportAnswer {
    const session = this.sessions.find(({ id }) => Buffer.compare(id, frame.sessionId) === 0)
    if (session === undefined) return clearAnswer(401, 'unknown_session')
    const request = parseRequest(openRequest(this.primitives, session.keys, frame))
    const response = this.respond(request, session, () => {
      if (request.path === '/sessions/current/token') return json(200, this.token())
      return json(200, { path: request.path })
    })
    const sealed = padMessage(encodeResponse(response))
    return frameAnswer(sealResponse(this.primitives, session.keys, frame.nonce, randomBytes(24), sealed))
  }

  private respond(
    request: RequestMessage,
    session: ServiceSession,
    succeed: () => ResponseMessage,
  ): ResponseMessage {
    const keyid = keyThumbprint(this.primitives, this.signing.publicKey)
    const response = this.decision(request, session) ?? succeed()
    return signResponse(
      this.primitives,
      response,
      request,
      { keyid, secretKey: this.signing.secretKey },
      this.time,
    )
  }

  private decision(request: RequestMessage, session: ServiceSession): ResponseMessage | undefined {
    const signature = parseRequestSignature(request)
    try {
      assertInWindow(signature, this.time, { past: 120, future: 10 })
    } catch {
      return problem('window_invalid', wrongTime)
    }
    assertSignature(this.primitives, signature, session.deviceKey)
    this.received.push(request)
    if (session.isEnded) return problem('session_ended', wrongTime)
    const decision = this.decide(request)
    return typeof decision === 'string' ? problem(decision, wrongTime) : decision
  }
}

function agreementKeyPair(primitives: Primitives): AgreementKeyPair {
  const secretKey = randomBytes(32)
  return { secretKey, publicKey: primitives.x25519PublicKey(secretKey) }
}
