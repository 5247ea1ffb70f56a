/** The channel of the app, shared by all pages. */
import { createChannel } from 'miniseal-client'
import { settings } from '../settings'

export const channel = createChannel(settings)

/** A new idempotency key: 128 random bits in hexadecimal. */
export async function newKey(): Promise<string> {
  const { randomValues } = await wx.getRandomValues({ length: 16 })
  return Array.from(new Uint8Array(randomValues), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
