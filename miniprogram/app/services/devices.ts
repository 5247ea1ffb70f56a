/** The user's devices, and sign-out. */
import type { DeviceSummary } from 'miniseal-client'
import { channel } from './channel'
import { stopEvents } from './events'

/** Active devices, newest first. */
export function fetchDevices(): Promise<readonly DeviceSummary[]> {
  return channel.devices()
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

/** Signs out and deletes the device key: the next login enrolls a new device. */
export async function resetApp(): Promise<void> {
  stopEvents()
  await channel.logout({ forgetDevice: true }).catch(() => {})
}
