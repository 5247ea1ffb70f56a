/** The user's sessions and devices, as `GET /sessions` and `GET /devices` list them. */
import { FormatError } from 'miniseal-protocol/errors'
import {
  decodeJsonObject,
  jsonObject,
  requiredNumber,
  requiredString,
  stringMember,
} from 'miniseal-protocol/json'
import { parseOrThrow } from './errors.ts'

export interface SessionSummary {
  /** base64url. */
  readonly id: string
  /** Whether this channel uses the session. */
  readonly isCurrent: boolean
  readonly device: {
    readonly id: string
    readonly name: string | undefined
    readonly platform: string | undefined
  }
  /** UNIX seconds, like the next two. */
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}

/** Parses the verified answer. @throws ChannelError `unexpected_answer` */
export function parseSessionList(content: Uint8Array): readonly SessionSummary[] {
  return parseOrThrow(() => {
    const { sessions } = decodeJsonObject(content)
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

export interface DeviceSummary {
  readonly id: string
  /** Whether it is this device. */
  readonly isCurrent: boolean
  readonly name: string | undefined
  readonly platform: string | undefined
  /** UNIX seconds, like the next one. */
  readonly createdAt: number
  readonly lastSeenAt: number
}

/** Parses the verified answer. @throws ChannelError `unexpected_answer` */
export function parseDeviceList(content: Uint8Array): readonly DeviceSummary[] {
  return parseOrThrow(() => {
    const { devices } = decodeJsonObject(content)
    if (!Array.isArray(devices)) throw new FormatError('not a list of devices')
    return devices.map((value) => {
      const device = jsonObject(value)
      return {
        id: requiredString(device, 'id'),
        isCurrent: device.current === true,
        name: stringMember(device, 'name'),
        platform: stringMember(device, 'platform'),
        createdAt: requiredNumber(device, 'created_at'),
        lastSeenAt: requiredNumber(device, 'last_seen_at'),
      }
    })
  })
}
