/** `miniseal auditor`: who may read the audit log. */
import { parseArgs } from 'node:util'
import type { NewAuditor } from '../admin/api/accounts.ts'
import { accountKeyOf, addAuditor, auditorName, isGood } from '../admin/api/accounts.ts'
import { readOperatorPaths } from '../config/operator-paths.ts'
import { readServiceKey } from '../keys/service-key.ts'
import { createSecretWrapper } from '../keys/wrapping.ts'
import type { AuditorRecord, AuditorRole } from '../store/auditors.ts'
import type { Store } from '../store/store.ts'
import type { Command, ExitCode, Terminal } from './command.ts'
import { CommandFailed, UsageError } from './command.ts'
import { formatTime, withDatabase } from './database.ts'

const usage = `usage: miniseal auditor add NAME [--role reader|discloser] [--days N] [--json]
       miniseal auditor list [--json]
       miniseal auditor revoke NAME

add      makes an account and prints its token, once: it is not kept
list     every auditor: role, since when, until when
revoke   ends an account: its next request is refused, in every process

  --role reader      sees what happened: entries, proofs, charts (default)
  --role discloser   also opens what an entry is about, and takes evidence out
  --days N           until the token expires, 1 to 400 (default: 90)

NAME is lower-case letters, digits, dot, hyphen and underscore. Needs MINISEAL_DATABASE, as the service has it; add also
MINISEAL_MASTER_KEY.
`

const options = {
  role: { type: 'string', default: 'reader' },
  days: { type: 'string', default: '90' },
  json: { type: 'boolean', default: false },
} as const

export const auditor: Command = {
  name: 'auditor',
  summary: 'accounts of auditors: add, list, revoke',
  usage,
  async run(args, terminal) {
    const { values, positionals } = parseArgs({
      args: [...args],
      options,
      allowPositionals: true,
      strict: true,
    })
    const [action, name, ...more] = positionals
    if (more.length > 0) throw new UsageError('too many arguments')
    const run = actionOf(action, name, values)
    return await withDatabase(terminal, (store) => run(store, terminal, Math.floor(Date.now() / 1000)))
  },
}

type Action = (store: Store, terminal: Terminal, now: number) => Promise<ExitCode>

interface Values {
  readonly role: string
  readonly days: string
  readonly json: boolean
}

function actionOf(action: string | undefined, name: string | undefined, values: Values): Action {
  if (action === 'list') {
    if (name !== undefined) throw new UsageError('auditor list takes no name')
    return (store, terminal, now) => list(store, terminal, now, values.json)
  }
  if (action !== 'add' && action !== 'revoke') throw new UsageError('auditor takes add, list or revoke')
  if (name === undefined || !auditorName.test(name)) {
    throw new UsageError(`auditor ${action} takes a name of lower-case letters, digits, dot, - and _`)
  }
  if (action === 'revoke') return (store, terminal, now) => revoke(store, terminal, name, now)
  const [role, days] = [parseRole(values.role), parseDays(values.days)]
  return (store, terminal, now) => add(store, terminal, { name, role, days, now }, values.json)
}

function parseRole(text: string): AuditorRole {
  if (text !== 'reader' && text !== 'discloser') throw new UsageError('--role takes reader or discloser')
  return text
}

function parseDays(text: string): number {
  if (!/^[1-9][0-9]{0,2}$/.test(text) || Number(text) > 400) throw new UsageError('--days takes 1 to 400')
  return Number(text)
}

async function add(store: Store, terminal: Terminal, made: NewAuditor, isJson: boolean): Promise<ExitCode> {
  const token = await addAuditor(store, await accountKey(store, terminal), made)
  if (token === undefined) {
    throw new CommandFailed(`there is an auditor ${made.name}: revoke it first, or take another name`)
  }
  if (isJson) {
    terminal.out(`${JSON.stringify({ name: made.name, token })}\n`)
    return 0
  }
  const until = formatTime(made.now + made.days * 86_400)
  terminal.out(`${token}\n`)
  terminal.err(`the token of ${made.name} (${made.role}, until ${until}): it is shown this once\n`)
  return 0
}

/** @throws CommandFailed without the master key, or where no service has started on the database. */
async function accountKey(store: Store, { environment }: Terminal): Promise<Uint8Array> {
  const { masterKeys } = readOperatorPaths(environment)
  if (masterKeys === undefined)
    throw new CommandFailed('MINISEAL_MASTER_KEY is needed: an account is bound to a key of the service')
  const record = (await store.listServiceKeys()).find(({ kind }) => kind === 'lookup')
  if (record === undefined) throw new CommandFailed('the database has no keys yet: start the service once')
  return accountKeyOf(readServiceKey(record, createSecretWrapper(masterKeys)).secretKey)
}

async function list(store: Store, terminal: Terminal, now: number, isJson: boolean): Promise<ExitCode> {
  const auditors = (await store.listAuditors()).map((record) => ({ record, state: stateOf(record, now) }))
  if (isJson) {
    const rows = auditors.map(({ record: { name, role, createdAt, expiresAt }, state }) => {
      return { name, role, state, created_at: formatTime(createdAt), expires_at: formatTime(expiresAt) }
    })
    terminal.out(`${JSON.stringify(rows)}\n`)
    return 0
  }
  for (const { record, state } of auditors) {
    const { name, role, createdAt, expiresAt } = record
    terminal.out(
      `${name.padEnd(20)} ${role.padEnd(10)} ${state.padEnd(8)} from ${formatTime(createdAt)} until ${formatTime(expiresAt)}\n`,
    )
  }
  return 0
}

function stateOf(record: AuditorRecord, now: number): 'in use' | 'revoked' | 'expired' {
  if (isGood(record, now)) return 'in use'
  return record.revokedAt === null ? 'expired' : 'revoked'
}

async function revoke(store: Store, terminal: Terminal, name: string, now: number): Promise<ExitCode> {
  const { kind } = await store.commit([{ kind: 'revoke-auditor', name, now }])
  if (kind === 'refused')
    throw new CommandFailed(`there is no auditor ${name} in use: see miniseal auditor list`)
  terminal.out(`revoked ${name}\n`)
  return 0
}
