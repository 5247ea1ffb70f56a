/** What a user's devices are told of each other. */
import type { Store, Write } from '../store/store.ts'
import { ownTypes } from './event.ts'
import type { Outbox } from './outbox.ts'

/**
 * The event `new-device`, for the commit that enrols a device: whoever has another one in use learns of it there. All
 * devices of a user get the same events, so the new one gets it too, and knows itself by `data.device`.
 *
 * @returns no write for a user who has no other device
 * @throws StoreUnavailable
 */
export async function newDeviceEvents(
  { store, outbox }: { readonly store: Pick<Store, 'listDevices'>; readonly outbox: Pick<Outbox, 'writeOf'> },
  user: string,
  device: string,
  platform: string | undefined,
): Promise<readonly Write[]> {
  const others = (await store.listDevices(user)).filter(
    ({ id, revokedAt }) => revokedAt === null && id !== device,
  )
  if (others.length === 0) return []
  return [
    outbox.writeOf(user, {
      type: ownTypes.newDevice,
      data: { device, platform: platform ?? null, name: null },
    }),
  ]
}

/** The event `device-revoked`, for the commit that revokes a device. */
export function revokedDeviceEvent(outbox: Pick<Outbox, 'writeOf'>, user: string, device: string): Write {
  return outbox.writeOf(user, { type: ownTypes.deviceRevoked, data: { device } })
}
