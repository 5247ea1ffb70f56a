/** The user's devices and what may be done with them. */
import type { DeviceSummary } from 'miniseal-client'
import { channel } from './channel'
import { stopEvents } from './events'

export interface Device extends DeviceSummary {
  /** Whether a session is open on it. */
  readonly isSignedIn: boolean
}

/** Newest first; only devices whose keys still work. */
export async function fetchDevices(): Promise<readonly Device[]> {
  const [devices, sessions] = await Promise.all([channel.devices(), channel.sessions()])
  const signedIn = new Set(sessions.map(({ device }) => device.id))
  return devices.map((device) => ({ ...device, isSignedIn: signedIn.has(device.id) }))
}

/** Its key never works again, and its sessions are over. */
export function removeDevice(id: string): Promise<void> {
  return channel.revokeDevice(id)
}

/** Also where the service cannot be told: here it is over in any case. */
export async function signOut(): Promise<void> {
  stopEvents()
  await channel.logout().catch(() => {})
}

/** For a phone whose key was removed: it joins again, as a new device. */
export async function resetApp(): Promise<void> {
  stopEvents()
  await channel.logout({ forgetDevice: true }).catch(() => {})
}
