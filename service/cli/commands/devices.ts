import type { Store, Write } from '../../store/store.ts'
import type { DeviceRecord } from '../../store/users.ts'
import type { ExitCode, Terminal } from '../command.ts'
import { CommandFailed, defineCommand, defineGroup, UsageError } from '../command.ts'
import { assertUser, currentTime, formatTime, withDatabase } from '../database.ts'
import { commitEnd } from '../log-access.ts'
import { userArgument } from '../option-values.ts'

const list = defineCommand({
  name: 'devices list',
  summary: 'list the devices of a user, newest first',
  arguments: { user: userArgument },
  notes: `
Prints id, state, times, platform and name of each device.
`,
  environment: ['MINISEAL_DATABASE'],
  run: async (values, terminal) =>
    await withDatabase(terminal, async (store) => {
      await assertUser(store, values.user)
      for (const device of await store.listDevices(values.user)) terminal.out(`${describe(device)}\n`)
      return 0
    }),
})

function describe({ id, revokedAt, createdAt, lastSeenAt, platform, name }: DeviceRecord): string {
  const state = revokedAt === null ? 'active ' : 'revoked'
  const times = `enrolled ${formatTime(createdAt)}  last login ${formatTime(lastSeenAt)}`
  const end = revokedAt === null ? '' : `  revoked ${formatTime(revokedAt)}`
  return `${id}  ${state}  ${times}${end}  ${JSON.stringify(platform ?? '')} ${JSON.stringify(name ?? '')}`
}

const revoke = defineCommand({
  name: 'devices revoke',
  summary: 'revoke one or all devices of a user and end their sessions',
  arguments: { user: userArgument, device: { help: 'id, as printed by devices list', optional: true } },
  options: { all: { type: 'boolean', help: 'revoke all devices of the user' } },
  notes: `
A revoked key is refused permanently: its next request fails, in every process. The user can log in again and enrol a new
key.

Without MINISEAL_MASTER_KEY the audit log records the operation but not the user.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run(values, terminal) {
    const { device, all } = values
    if (all === (device !== undefined)) throw new UsageError('give either DEVICE or --all')
    return await withDatabase(terminal, async (store) => {
      await assertUser(store, values.user)
      return device === undefined
        ? await revokeAll(store, terminal, values.user)
        : await revokeOne(store, terminal, values.user, device)
    })
  },
})

async function revokeOne(store: Store, terminal: Terminal, owner: string, id: string): Promise<ExitCode> {
  const device = await store.findDevice(id)
  if (device?.user !== owner) {
    throw new CommandFailed(
      `the user has no device ${JSON.stringify(id)}; see miniseal devices list ${owner}`,
    )
  }
  const now = currentTime()
  const isRevoked = await commitEnd(store, terminal, owner, [
    { kind: 'revoke-device', id, user: owner, now },
    endOfRevoked(owner, now),
  ])
  terminal.out(isRevoked ? `revoked ${id} and ended its sessions\n` : `${id} is already revoked\n`)
  return 0
}

async function revokeAll(store: Store, terminal: Terminal, owner: string): Promise<ExitCode> {
  const inUse = (await store.listDevices(owner)).filter(({ revokedAt }) => revokedAt === null)
  const now = currentTime()
  await commitEnd(store, terminal, owner, [
    { kind: 'revoke-other-devices', user: owner, except: null, now },
    endOfRevoked(owner, now),
  ])
  terminal.out(`revoked ${inUse.length} devices and ended their sessions\n`)
  return 0
}

function endOfRevoked(owner: string, now: number): Write {
  return { kind: 'end-sessions-of-revoked-devices', user: owner, reason: 'device-revoked', now }
}

export const devices = defineGroup('devices', [list, revoke])
