import { accountKeyOf, addAuditor, auditorName, isGood } from '../../admin/api/accounts.ts'
import type { AuditorRecord } from '../../store/auditors.ts'
import { CommandFailed, defineCommand, defineGroup, UsageError } from '../command.ts'
import { currentTime, formatTime, readLookupKey, requireMasterKey, withDatabase } from '../database.ts'
import { jsonOption } from '../option-values.ts'

const name = { help: 'lower-case letters, digits, dots, hyphens and underscores' } as const

const add = defineCommand({
  name: 'auditor add',
  summary: 'create an auditor account and print its token',
  arguments: { name },
  options: {
    role: {
      type: 'string',
      choices: ['reader', 'discloser'],
      default: 'reader',
      help: 'reader: entries, proofs and charts; discloser: also details and evidence',
    },
    days: { type: 'string', value: 'N', default: '90', help: 'lifetime of the token in days, 1 to 400' },
    json: jsonOption,
  },
  notes: `
The token is not stored and cannot be printed again.
`,
  environment: ['MINISEAL_DATABASE', 'MINISEAL_MASTER_KEY'],
  async run(values, terminal) {
    const { role, json: isJson } = values
    const auditor = parseName(values.name)
    const days = parseDays(values.days)
    const wrapper = requireMasterKey(terminal)
    return await withDatabase(terminal, async (store) => {
      const key = accountKeyOf(await readLookupKey(store, wrapper))
      const now = currentTime()
      const token = await addAuditor(store, key, { name: auditor, role, days, now })
      if (token === undefined)
        throw new CommandFailed(`auditor ${auditor} exists: revoke it first, or use another name`)
      if (isJson) {
        terminal.out(`${JSON.stringify({ name: auditor, token })}\n`)
        return 0
      }
      terminal.out(`${token}\n`)
      const until = formatTime(now + days * 86_400)
      terminal.err(`token of ${auditor} (${role}, until ${until}); it cannot be printed again\n`)
      return 0
    })
  },
})

const list = defineCommand({
  name: 'auditor list',
  summary: 'list auditors with role, state and times',
  options: { json: jsonOption },
  environment: ['MINISEAL_DATABASE'],
  run: async (values, terminal) =>
    await withDatabase(terminal, async (store) => {
      const now = currentTime()
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

function stateOf(record: AuditorRecord, now: number): 'active' | 'revoked' | 'expired' {
  if (isGood(record, now)) return 'active'
  return record.revokedAt === null ? 'expired' : 'revoked'
}

const revoke = defineCommand({
  name: 'auditor revoke',
  summary: 'revoke an auditor account',
  arguments: { name },
  notes: `
The next request with the token is refused, in every process.
`,
  environment: ['MINISEAL_DATABASE'],
  async run(values, terminal) {
    const auditor = parseName(values.name)
    return await withDatabase(terminal, async (store) => {
      const now = currentTime()
      const { kind } = await store.commit([{ kind: 'revoke-auditor', name: auditor, now }])
      if (kind === 'refused')
        throw new CommandFailed(`no active auditor ${auditor}; see miniseal auditor list`)
      terminal.out(`revoked ${auditor}\n`)
      return 0
    })
  },
})

/** @throws UsageError */
function parseName(text: string): string {
  if (!auditorName.test(text))
    throw new UsageError('NAME must consist of lower-case letters, digits, dots, hyphens and underscores')
  return text
}

/** @throws UsageError */
function parseDays(text: string): number {
  if (!/^[1-9][0-9]{0,2}$/.test(text) || Number(text) > 400)
    throw new UsageError('--days must be a number from 1 to 400')
  return Number(text)
}

export const auditor = defineGroup('auditor', [add, list, revoke])
