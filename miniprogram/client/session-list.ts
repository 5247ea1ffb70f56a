/** The user's sessions and devices, as `GET /sessions` and `GET /devices` list them. */
import {
  decodeJsonObject,
  jsonArray,
  jsonObject,
  requiredNumber,
  requiredString,
  stringMember,
} from 'miniseal-protocol/json'
import { parseOrThrow } from './errors.ts'

interface Device {
  readonly id: string
  readonly name: string | undefined
  readonly platform: string | undefined
}

export interface SessionSummary {
  /** base64url. */
  readonly id: string
  /** Whether this channel uses the session. */
  readonly isCurrent: boolean
  readonly device: Device
  /** UNIX seconds, like the next two. */
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}

export interface DeviceSummary extends Device {
  /** Whether it is this device. */
  readonly isCurrent: boolean
  /** UNIX seconds, like the next one. */
  readonly createdAt: number
  readonly lastSeenAt: number
}

/** Parses the verified answer. @throws ChannelError `unexpected_answer` */
export function parseSessionList(content: Uint8Array): readonly SessionSummary[] {
  return parseList(content, 'sessions', (session) => ({
    id: requiredString(session, 'id'),
    ...usageOf(session),
    device: deviceOf(jsonObject(session.device)),
    expiresAt: requiredNumber(session, 'expires_at'),
  }))
}

/** Parses the verified answer. @throws ChannelError `unexpected_answer` */
export function parseDeviceList(content: Uint8Array): readonly DeviceSummary[] {
  return parseList(content, 'devices', (device) => ({ ...deviceOf(device), ...usageOf(device) }))
}

function parseList<T>(
  content: Uint8Array,
  name: 'sessions' | 'devices',
  parse: (entry: Record<string, unknown>) => T,
): readonly T[] {
  return parseOrThrow(() =>
    jsonArray(decodeJsonObject(content)[name]).map((entry) => parse(jsonObject(entry))),
  )
}

function usageOf(
  entry: Record<string, unknown>,
): Pick<DeviceSummary, 'isCurrent' | 'createdAt' | 'lastSeenAt'> {
  return {
    isCurrent: entry.current === true,
    createdAt: requiredNumber(entry, 'created_at'),
    lastSeenAt: requiredNumber(entry, 'last_seen_at'),
  }
}

function deviceOf(device: Record<string, unknown>): Device {
  return {
    id: requiredString(device, 'id'),
    name: stringMember(device, 'name'),
    platform: stringMember(device, 'platform'),
  }
}
