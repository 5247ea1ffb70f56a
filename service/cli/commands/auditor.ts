import { accountKeyOf, addAuditor, auditorName, isGood } from '../../admin/api/accounts.ts'
import type { AuditorRecord } from '../../store/auditors.ts'
import { CommandFailed, defineCommand, defineGroup, UsageError } from '../command.ts'
import { formatTime, withDatabase } from '../database.ts'
import { readLookupKey, requireMasterKey } from '../master-key.ts'

const name = { help: 'lower-case letters, digits, dot, hyphen and underscore' } as const
const json = { type: 'boolean', help: 'print JSON' } as const

const add = defineCommand({
  name: 'auditor add',
  summary: 'create an auditor account and print its token, once',
  arguments: { name },
  options: {
    role: {
      type: 'string',
      choices: ['reader', 'discloser'],
      default: 'reader',
      help: 'reader: entries, proofs, charts; discloser: also details and evidence',
    },
    days: { type: 'string', value: 'N', default: '90', help: 'lifetime of the token, 1 to 400' },
    json,
  },
  notes: `
The token is not stored. Needs MINISEAL_DATABASE and MINISEAL_MASTER_KEY, as the service has them.
`,
  async run(values, terminal) {
    const { role, json: isJson } = values
    const auditor = parseName(values.name)
    const days = parseDays(values.days)
    const wrapper = requireMasterKey(terminal)
    return await withDatabase(terminal, async (store) => {
      const key = accountKeyOf(await readLookupKey(store, wrapper))
      const now = Math.floor(Date.now() / 1000)
      const token = await addAuditor(store, key, { name: auditor, role, days, now })
      if (token === undefined)
        throw new CommandFailed(`there is an auditor ${auditor}: revoke it first, or use another name`)
      if (isJson) {
        terminal.out(`${JSON.stringify({ name: auditor, token })}\n`)
        return 0
      }
      terminal.out(`${token}\n`)
      const until = formatTime(now + days * 86_400)
      terminal.err(`token of ${auditor} (${role}, until ${until}): it is not shown again\n`)
      return 0
    })
  },
})

const list = defineCommand({
  name: 'auditor list',
  summary: 'list the auditors: role, state, times',
  options: { json },
  notes: `
Reads MINISEAL_DATABASE, as the service does.
`,
  run: async (values, terminal) =>
    await withDatabase(terminal, async (store) => {
      const now = Math.floor(Date.now() / 1000)
      const rows = (await store.listAuditors()).map((record) => ({
        name: record.name,
        role: record.role,
        state: stateOf(record, now),
        created_at: formatTime(record.createdAt),
        expires_at: formatTime(record.expiresAt),
      }))
      if (values.json) terminal.out(`${JSON.stringify(rows)}\n`)
      else for (const row of rows) terminal.out(describe(row))
      return 0
    }),
})

function describe(row: Readonly<Record<'name' | 'role' | 'state' | 'created_at' | 'expires_at', string>>) {
  const account = `${row.name.padEnd(20)} ${row.role.padEnd(10)} ${row.state.padEnd(8)}`
  return `${account} from ${row.created_at} until ${row.expires_at}\n`
}

function stateOf(record: AuditorRecord, now: number): 'in use' | 'revoked' | 'expired' {
  if (isGood(record, now)) return 'in use'
  return record.revokedAt === null ? 'expired' : 'revoked'
}

const revoke = defineCommand({
  name: 'auditor revoke',
  summary: 'revoke an account: its next request is refused, in every process',
  arguments: { name },
  notes: `
Reads MINISEAL_DATABASE, as the service does.
`,
  async run(values, terminal) {
    const auditor = parseName(values.name)
    return await withDatabase(terminal, async (store) => {
      const now = Math.floor(Date.now() / 1000)
      const { kind } = await store.commit([{ kind: 'revoke-auditor', name: auditor, now }])
      if (kind === 'refused')
        throw new CommandFailed(`there is no auditor ${auditor} in use: see miniseal auditor list`)
      terminal.out(`revoked ${auditor}\n`)
      return 0
    })
  },
})

/** @throws UsageError */
function parseName(text: string): string {
  if (!auditorName.test(text))
    throw new UsageError('NAME takes lower-case letters, digits, dot, hyphen and underscore')
  return text
}

/** @throws UsageError */
function parseDays(text: string): number {
  if (!/^[1-9][0-9]{0,2}$/.test(text) || Number(text) > 400) throw new UsageError('--days takes 1 to 400')
  return Number(text)
}

export const auditor = defineGroup('auditor', [add, list, revoke])
