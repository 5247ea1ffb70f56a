/** The inner routes of devices: a user sees, names and revokes their own. They decide; the exchange writes. */

import { ProtocolError } from 'miniseal-protocol/errors'
import type { RequestMessage } from 'miniseal-protocol/frames/binary-http'
import { z } from 'zod'
import type { Outbox } from '../../events/outbox.ts'
import { revokedDeviceEvent } from '../../events/outbox.ts'
import type { Caller } from '../../gateway/backend.ts'
import { parseJsonContent, shapedReply } from '../../messages/json.ts'
import type { SessionRecord } from '../../store/sessions.ts'
import type { Store, Write } from '../../store/store.ts'
import type { DeviceRecord } from '../../store/users.ts'
import type { RouteResult } from './sessions.ts'
import { noContent } from './sessions.ts'
import { devicesReply, revokedReply } from './shapes.ts'

/** What the handlers look at; none of it writes. */
export interface DeviceServices {
  readonly store: Pick<Store, 'listDevices' | 'listSessions'>
  readonly outbox: Pick<Outbox, 'writeOf'>
  /** UNIX seconds. */
  readonly now: () => number
}

/** Why the sessions of a revoked device ended, in the store. */
const deviceRevoked = 'device-revoked'

/**
 * Attacker-controlled, and shown to the user and the operator: at most 40 characters with something to see among them,
 * no control characters, no line ends, nothing that turns the direction of the text around it.
 */
const deviceName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]{1,40}$/u)
  .regex(/[^\p{Z}\p{Cf}]/u)

export const nameBody = z.strictObject({ name: deviceName })

/**
 * Decides a request under `/devices`; `undefined` when the path is not one of ours.
 *
 * @throws ProtocolError `not_found` for a path under `/devices` that nothing answers, and for a device that is not the
 *   caller's or was revoked; `payload_invalid` for a name that is not acceptable.
 */
export async function handleDeviceRoute(
  services: DeviceServices,
  message: RequestMessage,
  caller: Caller,
): Promise<RouteResult | undefined> {
  const { method, path } = message
  const [route] = path.split('?')
  if (route !== '/devices' && !route?.startsWith('/devices/')) return undefined
  if (path !== route) throw new ProtocolError('not_found', 'routes of devices take no query')
  const id = route.slice('/devices/'.length)
  if (method === 'GET' && route === '/devices') return await listDevices(services, caller)
  if (method === 'DELETE' && route === '/devices') return await revokeOthers(services, caller)
  if (method === 'PUT' && isThumbprint(id)) return nameDevice(message, caller, id)
  if (method === 'DELETE' && isThumbprint(id)) return revokeDevice(services, caller, id)
  throw new ProtocolError('not_found', 'there is nothing at this path')
}

function isThumbprint(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text)
}

async function usableDevices({ store }: DeviceServices, user: string): Promise<readonly DeviceRecord[]> {
  return (await store.listDevices(user)).filter(({ revokedAt }) => revokedAt === null)
}

/** A device is written to at its login alone; its sessions know what came after, until they are pruned. */
function lastSeen(device: DeviceRecord, sessions: readonly SessionRecord[]): number {
  const own = sessions.filter((session) => session.device === device.id)
  return Math.max(device.lastSeenAt, ...own.map(({ lastSeenAt }) => lastSeenAt))
}

async function listDevices(services: DeviceServices, caller: Caller): Promise<RouteResult> {
  const sessions = await services.store.listSessions(caller.user)
  const devices = (await usableDevices(services, caller.user)).map((device) => ({
    id: device.id,
    current: device.id === caller.device,
    name: device.name,
    platform: device.platform,
    created_at: device.createdAt,
    last_seen_at: lastSeen(device, sessions),
  }))
  return { reply: shapedReply(devicesReply, 200, { devices }), writes: [] }
}

function nameDevice(message: RequestMessage, { user }: Caller, id: string): RouteResult {
  const { name } = parseJsonContent(message, nameBody)
  return { reply: noContent(), writes: [{ kind: 'rename-device', id, user, name }] }
}

function revokeDevice(services: DeviceServices, { user }: Caller, id: string): RouteResult {
  const now = services.now()
  return {
    reply: noContent(),
    writes: [
      { kind: 'revoke-device', id, user, now },
      endOfRevoked(user, now),
      revokedDeviceEvent(services.outbox, user, id),
    ],
  }
}

/** The count is of the moment before: a device that enrols meanwhile is revoked with the others, and not counted. */
async function revokeOthers(services: DeviceServices, { user, device }: Caller): Promise<RouteResult> {
  const now = services.now()
  const others = (await usableDevices(services, user)).filter(({ id }) => id !== device)
  return {
    reply: shapedReply(revokedReply, 200, { revoked: others.length }),
    writes: [
      { kind: 'revoke-other-devices', user, except: device, now },
      endOfRevoked(user, now),
      ...others.map(({ id }) => revokedDeviceEvent(services.outbox, user, id)),
    ],
  }
}

function endOfRevoked(user: string, now: number): Write {
  return { kind: 'end-sessions-of-revoked-devices', user, reason: deviceRevoked, now }
}
