/** The user's devices and sessions, as `GET /sessions` lists them. */
import { FormatError } from 'miniseal-protocol/errors'
import { jsonObject, parseJsonObject, requiredNumber, requiredString, stringMember } from './json.ts'
import { readable } from './session.ts'

export interface SessionSummary {
  /** base64url. */
  readonly id: string
  /** Whether it is the session of this channel. */
  readonly isCurrent: boolean
  readonly device: {
    readonly id: string
    readonly name: string | undefined
    readonly platform: string | undefined
  }
  /** UNIX seconds, as the next two. */
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}

/** Reads the verified answer. @throws ChannelError `unexpected_answer`. */
export function parseSessionList(content: Uint8Array): readonly SessionSummary[] {
  return readable(() => {
    const { sessions } = parseJsonObject(content)
    if (!Array.isArray(sessions)) throw new FormatError('not a list of sessions')
    return sessions.map(parseSummary)
  })
}

function parseSummary(value: unknown): SessionSummary {
  const session = jsonObject(value)
  const device = jsonObject(session.device)
  return {
    id: requiredString(session, 'id'),
    isCurrent: session.current === true,
    device: {
      id: requiredString(device, 'id'),
      name: stringMember(device, 'name'),
      platform: stringMember(device, 'platform'),
    },
    createdAt: requiredNumber(session, 'created_at'),
    lastSeenAt: requiredNumber(session, 'last_seen_at'),
    expiresAt: requiredNumber(session, 'expires_at'),
  }
}
