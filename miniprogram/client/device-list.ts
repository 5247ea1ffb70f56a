/** The user's devices, as `GET /devices` lists them. */
import { FormatError } from 'miniseal-protocol/errors'
import { jsonObject, parseJsonObject, requiredNumber, requiredString, stringMember } from './json.ts'
import { readable } from './session.ts'

export interface DeviceSummary {
  readonly id: string
  /** Whether it is this one. */
  readonly isCurrent: boolean
  readonly name: string | undefined
  readonly platform: string | undefined
  /** UNIX seconds, as the next one. */
  readonly createdAt: number
  readonly lastSeenAt: number
}

/** Reads the verified answer. @throws ChannelError `unexpected_answer`. */
export function parseDeviceList(content: Uint8Array): readonly DeviceSummary[] {
  return readable(() => {
    const { devices } = parseJsonObject(content)
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
