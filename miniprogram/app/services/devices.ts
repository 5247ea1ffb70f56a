/** The user's devices, and sign-out. */
import type { DeviceSummary } from 'miniseal-client'
import { channel } from './channel'
import { stopEvents } from './events'

export interface Device extends DeviceSummary {
  /** Whether the device has a session. */
  readonly isSignedIn: boolean
}

/** Active devices, newest first. */
export async function fetchDevices(): Promise<readonly Device[]> {
  const [devices, sessions] = await Promise.all([channel.devices(), channel.sessions()])
  const signedIn = new Set(sessions.map(({ device }) => device.id))
  return devices.map((device) => ({ ...device, isSignedIn: signedIn.has(device.id) }))
}

/** Revokes the device's key and ends its sessions. */
export function removeDevice(id: string): Promise<void> {
  return channel.revokeDevice(id)
}

/** Ends the local session even when the service cannot be reached. */
export async function signOut(): Promise<void> {
  stopEvents()
  await channel.logout().catch(() => {})
}

/** Deletes the device key: the next login enrolls a new device. */
export async function resetApp(): Promise<void> {
  stopEvents()
  await channel.logout({ forgetDevice: true }).catch(() => {})
}
