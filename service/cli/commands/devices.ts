import type { Store, Write } from '../../store/store.ts'
import type { DeviceRecord } from '../../store/users.ts'
import type { ExitCode, Terminal } from '../command.ts'
import { CommandFailed, defineCommand, defineGroup, UsageError } from '../command.ts'
import { assertUser, formatTime, withDatabase } from '../database.ts'
import { commitEnd } from '../operator-appender.ts'

const user = { help: 'pairwise subject, as backends see it (u_…)' } as const

const list = defineCommand({
  name: 'devices list',
  summary: 'list the devices of a user, newest first',
  arguments: { user },
  notes: `
Prints for each device: id, state, times, platform, name. Reads MINISEAL_DATABASE, as the service does.
`,
  run: async (values, terminal) =>
    await withDatabase(terminal, async (store) => {
      await assertUser(store, values.user)
      for (const device of await store.listDevices(values.user)) terminal.out(`${describe(device)}\n`)
      return 0
    }),
})

function describe({ id, revokedAt, createdAt, lastSeenAt, platform, name }: DeviceRecord): string {
  const state = revokedAt === null ? 'in use ' : 'revoked'
  const times = `enrolled ${formatTime(createdAt)}  last login ${formatTime(lastSeenAt)}`
  const end = revokedAt === null ? '' : `  revoked ${formatTime(revokedAt)}`
  return `${id}  ${state}  ${times}${end}  ${JSON.stringify(platform ?? '')} ${JSON.stringify(name ?? '')}`
}

const revoke = defineCommand({
  name: 'devices revoke',
  summary: 'revoke one device of a user, or all of them, and end their sessions',
  arguments: { user, device: { help: 'id, as devices list prints it', optional: true } },
  options: { all: { type: 'boolean', help: 'every device of the user' } },
  notes: `
A revoked device key is refused for good: its next request fails, in every process. The user can enrol a new device key
as long as WeChat logs them in.

Reads MINISEAL_DATABASE, as the service does. With MINISEAL_MASTER_KEY the audit log names the user; without it, only
the operation.
`,
  async run(values, terminal) {
    const { device, all } = values
    if (all === (device !== undefined)) throw new UsageError('devices revoke takes either DEVICE or --all')
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
      `the user has no device ${JSON.stringify(id)}: see miniseal devices list ${owner}`,
    )
  }
  const now = Math.floor(Date.now() / 1000)
  const isRevoked = await commitEnd(store, terminal, owner, [
    { kind: 'revoke-device', id, user: owner, now },
    endOfRevoked(owner, now),
  ])
  terminal.out(isRevoked ? `revoked ${id} and ended its sessions\n` : `${id} is already revoked\n`)
  return 0
}

async function revokeAll(store: Store, terminal: Terminal, owner: string): Promise<ExitCode> {
  const inUse = (await store.listDevices(owner)).filter(({ revokedAt }) => revokedAt === null)
  const now = Math.floor(Date.now() / 1000)
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
