/** The user's devices and what may be done with them. */
import { ChannelError } from 'miniseal'
import { channel } from './channel'
import { integer, list, objectOf, optionalText, text } from './json'

export interface Device {
  readonly id: string
  readonly isCurrent: boolean
  /** Empty where people gave none. */
  readonly name: string
  readonly platform: string
  /** UNIX seconds. */
  readonly lastSeenAt: number
  /** Whether a session is open on it. */
  readonly isSignedIn: boolean
}

/** Newest first; only devices whose keys still work. */
export async function fetchDevices(): Promise<readonly Device[]> {
  const [answer, sessions] = await Promise.all([
    channel.request({ method: 'GET', path: '/devices' }),
    channel.sessions(),
  ])
  const signedIn = new Set(sessions.map(({ device }) => device.id))
  return list(objectOf(answer).devices).map((device) => ({
    id: text(device.id),
    isCurrent: device.current === true,
    name: optionalText(device.name),
    platform: optionalText(device.platform),
    lastSeenAt: integer(device.last_seen_at),
    isSignedIn: signedIn.has(text(device.id)),
  }))
}

/** Its key never works again, and its sessions are over. */
export async function removeDevice(id: string): Promise<void> {
  const answer = await channel.request({ method: 'DELETE', path: `/devices/${encodeURIComponent(id)}` })
  if (answer.status !== 204) {
    throw new ChannelError('unexpected_answer', 'the device was not removed', { status: answer.status })
  }
}

/** Also where the service cannot be told: here it is over in any case. */
export async function signOut(): Promise<void> {
  await channel.logout().catch(() => {})
}

/** For a phone whose key was removed: it joins again, as a new device. */
export async function startAnew(): Promise<void> {
  await channel.logout({ forgetDevice: true }).catch(() => {})
}
