/** `miniseal devices`: an operator sees the devices of a user, and shuts them out. */
import { parseArgs } from 'node:util'
import type { DeviceRecord, Store, Write } from '../store/store.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, isThumbprint, UsageError } from './command.ts'
import { assertUser, day, withDatabase } from './database.ts'
import { commitEnd } from './operator-journal.ts'

const usage = `usage: miniseal devices list USER
       miniseal devices revoke USER DEVICE
       miniseal devices revoke USER --all

list     every device of a user, newest first: id, state, times, platform, name
revoke   shuts a device out for ever and ends its sessions: its next request is refused, in every process.
         The person can log in with a new device key, as long as WeChat lets them.

USER is the pseudonym that backends see (u_…). Needs MINISEAL_DATABASE, as the service has it. With MINISEAL_MASTER_KEY
the audit log says whom it was about; without it, only what was done.
`

export const devices: Command = {
  summary: 'list the devices of a user, or revoke them',
  usage,
  async run(args, terminal) {
    const options = { all: { type: 'boolean', default: false } } as const
    const { values } = parseArgs({ args: args.filter(isOption), options, strict: true })
    const run = actionOf(
      args.filter((text) => !isOption(text)),
      values.all,
    )
    return await withDatabase(terminal, (store) => run(store, terminal))
  },
}

function isOption(text: string): boolean {
  return text.startsWith('-') && !isThumbprint(text)
}

type Action = (store: Store, terminal: Terminal) => Promise<ExitCode>

function actionOf([action, user, device, ...more]: readonly string[], all: boolean): Action {
  if (more.length > 0) throw new UsageError('too many arguments')
  if (action !== 'list' && action !== 'revoke') throw new UsageError('devices takes list or revoke')
  if (user === undefined) throw new UsageError(`devices ${action} takes a user`)
  if (action === 'list') {
    if (all || device !== undefined) throw new UsageError('devices list takes a user and nothing else')
    return (store, terminal) => list(store, terminal, user)
  }
  if (all === (device !== undefined)) throw new UsageError('devices revoke takes a device or --all')
  if (device === undefined) return (store, terminal) => revokeAll(store, terminal, user)
  return (store, terminal) => revoke(store, terminal, user, device)
}

async function list(store: Store, terminal: Terminal, user: string): Promise<ExitCode> {
  await assertUser(store, user)
  for (const device of await store.listDevices(user)) terminal.out(`${describe(device)}\n`)
  return 0
}

function describe({ id, revokedAt, createdAt, lastSeenAt, platform, name }: DeviceRecord): string {
  const state = revokedAt === null ? 'in use ' : 'revoked'
  const times = `enrolled ${day(createdAt)}  last login ${day(lastSeenAt)}`
  const end = revokedAt === null ? '' : `  revoked ${day(revokedAt)}`
  return `${id}  ${state}  ${times}${end}  ${JSON.stringify(platform ?? '')} ${JSON.stringify(name ?? '')}`
}

async function revoke(store: Store, terminal: Terminal, user: string, id: string): Promise<ExitCode> {
  await assertUser(store, user)
  const device = await store.findDevice(id)
  if (device?.user !== user) {
    throw new CommandFailed(`the user has no device ${JSON.stringify(id)}: see miniseal devices list ${user}`)
  }
  const now = Math.floor(Date.now() / 1000)
  const isRevoked = await commitEnd(store, terminal, user, [
    { kind: 'revoke-device', id, user, now },
    endOfRevoked(user, now),
  ])
  terminal.out(isRevoked ? `revoked ${id}, and ended its sessions\n` : `${id} was revoked before\n`)
  return 0
}

async function revokeAll(store: Store, terminal: Terminal, user: string): Promise<ExitCode> {
  await assertUser(store, user)
  const inUse = (await store.listDevices(user)).filter(({ revokedAt }) => revokedAt === null)
  const now = Math.floor(Date.now() / 1000)
  await commitEnd(store, terminal, user, [
    { kind: 'revoke-other-devices', user, except: null, now },
    endOfRevoked(user, now),
  ])
  terminal.out(`revoked ${inUse.length} devices, and ended their sessions\n`)
  return 0
}

function endOfRevoked(user: string, now: number): Write {
  return { kind: 'end-sessions-of-revoked-devices', user, reason: 'device-revoked', now }
}
