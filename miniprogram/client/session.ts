/** A session: its keys, in memory only, and its access token. */
import { FormatError } from 'miniseal-protocol/errors'
import type { Frame } from 'miniseal-protocol/frames/frame'
import type { SessionKeys } from 'miniseal-protocol/frames/session-keys'
import { decodeJsonObject, jsonObject, requiredNumber, requiredString } from 'miniseal-protocol/json'
import { suite1 } from 'miniseal-protocol/primitives/suite'
import { decodeBase64Url } from 'miniseal-protocol/text'
import type { DeviceKey } from './device-key.ts'
import { parseOrThrow } from './errors.ts'

/** The public properties of a session. */
export interface SessionInfo {
  /** base64url. */
  readonly id: string
  /** The user's pairwise subject identifier at the service. */
  readonly user: string
  /** UNIX seconds. */
  readonly expiresAt: number
  /** `isNew`: this login enrolled the device. */
  readonly device: { readonly id: string; readonly isNew: boolean }
}

export interface AccessToken {
  readonly value: string
  /** Seconds. */
  readonly lifetime: number
}

/** Carries the session's frames while a socket is open. */
export interface FrameSocket {
  /**
   * Sends a request frame (0x03) and returns the answer to its nonce, attacker-controlled.
   * @throws ChannelError `network` or `timeout`; the frame may have arrived nevertheless
   */
  post(nonce: Uint8Array, frame: Uint8Array): Promise<Frame>
}

export interface LoginAnswer {
  readonly info: SessionInfo
  readonly token: AccessToken
}

/** A token is renewed this many seconds before it expires, but not before 90 % of its lifetime. */
const RENEWAL_MARGIN = 30

export class Session {
  readonly info: SessionInfo
  readonly id: Uint8Array
  /** Not wiped at the end of the session: a pending request would be sealed with a zero key. */
  readonly keys: SessionKeys
  readonly device: DeviceKey
  /** `undefined` while frames are sent over HTTP. */
  socket: FrameSocket | undefined
  /** The renewal of the token in progress. */
  renewal: Promise<void> | undefined
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
 * Parses the verified `201` answer to a login (protocol, section 6).
 * @throws ChannelError `unexpected_answer` for malformed content or a session of another device
 */
export function parseLoginAnswer(content: Uint8Array, device: DeviceKey): LoginAnswer {
  return parseOrThrow(() => {
    const body = decodeJsonObject(content)
    const session = jsonObject(body.session)
    const enrolled = jsonObject(body.device)
    const id = requiredString(session, 'id')
    if (decodeBase64Url(id).length !== suite1.sessionIdLength) throw new FormatError('invalid session id')
    if (enrolled.id !== device.keyid) throw new FormatError('session of another device')
    const info = {
      id,
      user: requiredString(body, 'user'),
      expiresAt: requiredNumber(session, 'expires_at'),
      device: { id: device.keyid, isNew: enrolled.new === true },
    }
    return { info, token: accessToken(body) }
  })
}

/** Parses the verified answer to a token renewal. @throws ChannelError `unexpected_answer` */
export function parseTokenAnswer(content: Uint8Array): AccessToken {
  return parseOrThrow(() => accessToken(decodeJsonObject(content)))
}

function accessToken(body: Record<string, unknown>): AccessToken {
  if (body.token_type !== 'HTTPSig') throw new FormatError('unexpected token type')
  return { value: requiredString(body, 'access_token'), lifetime: requiredNumber(body, 'expires_in') }
}
