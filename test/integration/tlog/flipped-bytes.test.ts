/** `audit verify` finds any flipped byte of a log. */
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type VerifySources, verifyStore } from '../../../service/cli/verify-log.ts'
import { readOperatorPaths } from '../../../service/config/environment.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import { readPinnedCheckpoints } from '../../../service/tlog/fsck/claims.ts'
import type { Findings } from '../../../service/tlog/fsck/findings.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { requests, startLog } from '../../support/written-log.ts'
import { createSqlite } from '../store/engines.ts'

interface Cell {
  readonly table: string
  readonly column: string
  readonly rowid: number
  readonly value: Buffer
  readonly isText: boolean
}

let log: WrittenLog
let beside: Database.Database
let cells: readonly Cell[]
let sources: VerifySources

const columns = [
  ['tlog_entries', 'leaf'],
  ['tlog_entries', 'hash'],
  ['tlog_entries', 'id'],
  ['tlog_entries', 'kind'],
  ['tlog_entries', 'detail'],
  ['tlog_entries', 'user_blind_index'],
  ['tlog_entries', 'device_blind_index'],
  ['tlog_entries', 'ip_blind_index'],
  ['tlog_entries', 'path_blind_index'],
  ['tlog_entries', 'area_blind_index'],
  ['tlog_tiles', 'hashes'],
  ['tlog_states', 'root'],
  ['tlog_checkpoints', 'note'],
] as const

beforeAll(async () => {
  let path = ''
  log = await startLog(async () => {
    const database = await createSqlite()
    path = database.path
    return database
  })
  await log.append(requests(30))
  await log.sign()
  await log.append(requests(250, 30))
  await log.sign()
  const { dataFolder, masterKeys = [] } = readOperatorPaths(log.environment)
  const pinned = await readPinnedCheckpoints(dataFolder)
  sources = { dataFolder, wrapper: createSecretWrapper(masterKeys), pinned }
  beside = new Database(path)
  cells = columns.flatMap(([table, column]) => {
    const rows = beside
      .prepare(`select rowid as number, ${column} as value from ${table} where ${column} is not null`)
      .all()
    return (rows as { number: number; value: Buffer | string }[]).map(({ number: rowid, value }) => {
      return { table, column, rowid, value: Buffer.from(value), isText: typeof value === 'string' }
    })
  })
})

afterAll(async () => {
  beside.close()
  await log.close()
})

const write = ({ table, column, rowid, isText }: Cell, value: Buffer): void => {
  const statement = beside.prepare(`update ${table} set ${column} = ? where rowid = ?`)
  statement.run(isText ? value.toString('latin1') : value, rowid)
}

/** `audit verify` on the open database: opening it takes as long as verifying this log. */
async function verify(): Promise<Findings> {
  const options = { isIncremental: false, checkpoints: [], vkeys: [] }
  const terminal = { environment: log.environment, isInteractive: false, out: () => {}, err: () => {} }
  return (await verifyStore(log.store, sources, options, terminal)).findings
}

it('audit verify finds any flipped bit of an entry, a tile, a checkpoint, a root or a blind index', {
  timeout: 60_000,
}, async () => {
  const damage = fc.record({
    column: fc.constantFrom(...columns),
    row: fc.nat(),
    byte: fc.nat(),
    bit: fc.integer({ min: 0, max: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(damage, async ({ column: [table, column], row, byte, bit }) => {
      const chosen = cells.filter((cell) => cell.table === table && cell.column === column)
      const cell = chosen[row % chosen.length]
      if (cell === undefined) throw new Error(`nothing in ${table}.${column}`)
      const before = cell.isText
        ? Buffer.from(cell.value.toString('utf8').replaceAll('\u2014', '-'), 'latin1')
        : cell.value
      const at = byte % before.length
      const flipped = Buffer.from(before)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
      write(cell, flipped)
      const { count } = await verify()
      beside
        .prepare(`update ${table} set ${column} = ? where rowid = ?`)
        .run(cell.isText ? cell.value.toString('utf8') : cell.value, cell.rowid)
      expect(count).toBeGreaterThan(0)
    }),
    { numRuns: 80 },
  )
  expect((await verify()).reported).toEqual([])
})
