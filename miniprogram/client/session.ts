/** An open session: its keys, in memory only, and its access token. */
import { FormatError } from 'miniseal-protocol/errors'
import type { Frame } from 'miniseal-protocol/frames/frame'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { decodeBase64Url } from 'miniseal-protocol/text'
import type { DeviceKey } from './device-key.ts'
import { ChannelError } from './errors.ts'
import { jsonObject, parseJsonObject, requiredNumber, requiredString } from './json.ts'

/** What a mini program may know about its session. */
export interface SessionInfo {
  /** base64url. */
  readonly id: string
  /** The service's pseudonym of the user. */
  readonly user: string
  /** UNIX seconds. */
  readonly expiresAt: number
  /** `isNew` tells that this login enrolled the device. */
  readonly device: { readonly id: string; readonly isNew: boolean }
}

export interface AccessToken {
  readonly value: string
  /** Seconds. */
  readonly lifetime: number
}

/** The way of a session's frames while its socket is open. */
export interface FrameWire {
  /**
   * Sends a frame 0x03 and gives the frame that came back for its nonce, attacker-controlled.
   * @throws ChannelError `network` or `timeout`; after either it may have arrived.
   */
  post(nonce: Uint8Array, frame: Uint8Array): Promise<Frame>
}

export interface LoginAnswer {
  readonly info: SessionInfo
  readonly token: AccessToken
}

/** Seconds before its end at which a token is renewed; less for tokens that live shorter than ten times as long. */
const RENEWAL_MARGIN = 30

export class Session {
  readonly info: SessionInfo
  readonly id: Uint8Array
  /** Dropped with the session, not wiped: a request under way would be sealed with a key of zeros. */
  readonly keys: SessionKeys
  readonly device: DeviceKey
  /** `undefined` where frames go over HTTP. */
  wire: FrameWire | undefined
  private accessToken = ''
  private renewAt = 0

  constructor(answer: LoginAnswer, keys: SessionKeys, device: DeviceKey, now: number) {
    this.info = answer.info
    this.id = decodeBase64Url(answer.info.id)
    this.keys = keys
    this.device = device
    this.useToken(answer.token, now)
  }

  get token(): string {
    return this.accessToken
  }

  /** @param now UNIX seconds by the service's clock */
  useToken(token: AccessToken, now: number): void {
    this.accessToken = token.value
    this.renewAt = now + token.lifetime - Math.min(RENEWAL_MARGIN, Math.floor(token.lifetime / 10))
  }

  needsToken(now: number): boolean {
    return now >= this.renewAt
  }

  isOver(now: number): boolean {
    return now >= this.info.expiresAt
  }
}

/**
 * Reads the verified `201` of a login (protocol, section 6).
 * @throws ChannelError `unexpected_answer` for another form or another device's session.
 */
export function parseLoginAnswer(content: Uint8Array, device: DeviceKey): LoginAnswer {
  return readable(() => {
    const body = parseJsonObject(content)
    const session = jsonObject(body.session)
    const enrolled = jsonObject(body.device)
    const id = requiredString(session, 'id')
    if (decodeBase64Url(id).length !== suite1.sessionIdLength) throw new FormatError('not a session id')
    if (enrolled.id !== device.keyid) throw new FormatError('the session is of another device')
    const info = {
      id,
      user: requiredString(body, 'user'),
      expiresAt: requiredNumber(session, 'expires_at'),
      device: { id: device.keyid, isNew: enrolled.new === true },
    }
    return { info, token: accessToken(body) }
  })
}

/** Reads the verified answer of a renewal. @throws ChannelError `unexpected_answer`. */
export function parseTokenAnswer(content: Uint8Array): AccessToken {
  return readable(() => accessToken(parseJsonObject(content)))
}

function accessToken(body: Record<string, unknown>): AccessToken {
  if (body.token_type !== 'HTTPSig') throw new FormatError('not a token for signed requests')
  return { value: requiredString(body, 'access_token'), lifetime: requiredNumber(body, 'expires_in') }
}

/** @throws ChannelError `unexpected_answer` when `read` finds another form: signed by the service, and still not usable. */
export function readable<T>(read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause
    throw new ChannelError('unexpected_answer', 'the answer of the service cannot be read', { cause })
  }
}
