/** `/devices`: a user lists, names and revokes their devices. */
import { z } from 'zod'
import { revokedDeviceEvent } from '../../events/outbox.ts'
import { jsonReply, noContent } from '../../messages/content.ts'
import type { SessionRecord } from '../../store/sessions.ts'
import type { Write } from '../../store/store.ts'
import type { DeviceRecord } from '../../store/users.ts'
import type { ExchangeContext } from '../context.ts'
import { defineRoute, notFound, seconds, thumbprint } from './route.ts'

/**
 * Attacker-controlled, and shown to the user and the operator: 1 to 40 characters, at least one of them visible, without
 * control characters, line ends and characters that change the direction of the surrounding text.
 */
const deviceName = z
  .string()
  .regex(/^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]{1,40}$/u)
  .regex(/[^\p{Z}\p{Cf}]/u)

const nameBody = z.strictObject({ name: deviceName })

const devicesReply = z.strictObject({
  devices: z.array(
    z.strictObject({
      id: thumbprint,
      current: z.boolean(),
      name: z.string().nullable(),
      platform: z.string().nullable(),
      created_at: seconds,
      last_seen_at: seconds,
    }),
  ),
})

const revokedReply = z.strictObject({ revoked: z.number().int().min(0) })

/** Attacker-controlled. @throws ProblemError `not_found` */
function parseDeviceId(parameter: string): string {
  if (!thumbprint.safeParse(parameter).success) throw notFound()
  return parameter
}

async function usableDevices({ store }: ExchangeContext, user: string): Promise<readonly DeviceRecord[]> {
  return (await store.listDevices(user)).filter(({ revokedAt }) => revokedAt === null)
}

/** The record of a device changes only at login; its sessions have later times until they are pruned. */
function lastSeen(device: DeviceRecord, sessions: readonly SessionRecord[]): number {
  const own = sessions.filter((session) => session.device === device.id)
  return Math.max(device.lastSeenAt, ...own.map(({ lastSeenAt }) => lastSeenAt))
}

function endRevokedSessions(user: string, now: number): Write {
  return { kind: 'end-sessions-of-revoked-devices', user, reason: 'device-revoked', now }
}

export const deviceRoutes = [
  defineRoute({
    id: 'listDevices',
    method: 'GET',
    path: '/devices',
    tag: 'devices',
    summary: 'List the devices of the user that are not revoked',
    replies: { 200: devicesReply },
    async handler(context, { caller }) {
      const sessions = await context.store.listSessions(caller.user)
      const devices = (await usableDevices(context, caller.user)).map((device) => ({
        id: device.id,
        current: device.id === caller.device,
        name: device.name,
        platform: device.platform,
        created_at: device.createdAt,
        last_seen_at: lastSeen(device, sessions),
      }))
      return { reply: jsonReply(devicesReply, 200, { devices }), writes: [] }
    },
  }),
  defineRoute({
    id: 'revokeOtherDevices',
    method: 'DELETE',
    path: '/devices',
    tag: 'devices',
    summary: 'Revoke every other device of the user',
    replies: { 200: revokedReply },
    /** The count is taken before the commit: a device enrolled in between is revoked too, and is not counted. */
    async handler(context, { caller: { user, device } }) {
      const now = context.now()
      const others = (await usableDevices(context, user)).filter(({ id }) => id !== device)
      return {
        reply: jsonReply(revokedReply, 200, { revoked: others.length }),
        writes: [
          { kind: 'revoke-other-devices', user, except: device, now },
          endRevokedSessions(user, now),
          ...others.map(({ id }) => revokedDeviceEvent(context.outbox, user, id)),
        ],
      }
    },
  }),
  defineRoute({
    id: 'nameDevice',
    method: 'PUT',
    path: '/devices/{id}',
    tag: 'devices',
    summary: 'Name a device',
    parameter: 'The id of the device: the thumbprint of its key.',
    body: nameBody,
    replies: { 204: undefined },
    handler(_context, { caller: { user }, body: { name }, parameter }) {
      const id = parseDeviceId(parameter)
      return { reply: noContent(), writes: [{ kind: 'rename-device', id, user, name }] }
    },
  }),
  defineRoute({
    id: 'revokeDevice',
    method: 'DELETE',
    path: '/devices/{id}',
    tag: 'devices',
    summary: 'Revoke a device permanently and end its sessions',
    parameter: 'The id of the device: the thumbprint of its key.',
    replies: { 204: undefined },
    handler(context, { caller: { user }, parameter }) {
      const id = parseDeviceId(parameter)
      const now = context.now()
      return {
        reply: noContent(),
        writes: [
          { kind: 'revoke-device', id, user, now },
          endRevokedSessions(user, now),
          revokedDeviceEvent(context.outbox, user, id),
        ],
      }
    },
  }),
]
