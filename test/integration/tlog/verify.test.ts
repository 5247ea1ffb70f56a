/** `miniseal audit verify`, against an attacker who can write to the database. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { verify } from '../../../service/cli/commands/audit/verify.ts'
import { globalIndexOf } from '../../../service/store/tlog-entries.ts'
import { createRowMacs } from '../../../service/tlog/row-macs.ts'
import { runCommand } from '../../support/command.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { logStart, requests, startLog } from '../../support/written-log.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'

describeOnBothEngines('audit verify', (create: () => Promise<TestDatabase>) => {
  let log: WrittenLog
  let first: string

  beforeEach(async () => {
    log = await startLog(create)
    await log.append(requests(9))
    first = await log.sign()
    await log.append([
      ...requests(280, 9),
      { kind: 'refused', result: 'refused', code: 'replayed', user: null },
    ])
    await log.sign()
    await log.append(requests(20, 300))
    await log.sign()
  })

  afterEach(() => log.close())

  interface Verdict {
    readonly ok: boolean
    readonly findings: readonly {
      readonly code: string
      readonly location: string
      readonly message: string
    }[]
    readonly checked: Record<string, unknown>
    readonly logs: readonly { readonly size: number }[]
  }

  const check = async (
    args: readonly string[] = [],
    environment: Readonly<Record<string, string>> = log.environment,
  ): Promise<Verdict & { readonly code: number }> => {
    const { code, out } = await runCommand(verify, [...args, '--json'], environment)
    return { code, ...(JSON.parse(out) as Verdict) }
  }
  const sql = (statement: string) => log.database.sql(statement)
  const found = async (args: readonly string[] = []): Promise<readonly string[]> => {
    const { code, findings } = await check(args)
    expect(code).toBe(findings.length > 0 ? 1 : 0)
    return findings.map(({ code, location }) => `${code} ${location}`)
  }
  /** A literal of bytes, in the words of the engine. */
  const bytes = (value: Uint8Array): string => {
    const hex = Buffer.from(value).toString('hex')
    return log.database.location.kind === 'sqlite' ? `x'${hex}'` : `'\\x${hex}'::bytea`
  }
  const flip = (value: Uint8Array, at: number): Uint8Array =>
    value.map((byte, i) => (i === at ? byte ^ 1 : byte))

  it('verify finds nothing in an unchanged log and lists what it checked', async () => {
    const { code, ok, findings, checked, logs } = await check()
    expect({ code, ok, findings }).toEqual({ code: 0, ok: true, findings: [] })
    expect(logs).toMatchObject([{ size: 311 }])
    expect(checked).toMatchObject({
      entries: 311,
      checkpoints: 3,
      pinned: [{ size: 311 }],
      details: { opened: 311, erased: 0, absent: 0 },
      keys: 'master-key',
      pending: 0,
    })
  })

  it('verify finds nothing in a log that grows and is signed during the check', async () => {
    let isOver = false
    const growing = (async () => {
      for (let i = 0; !isOver; i++) {
        await log.append(requests(3, 1_000 + 3 * i))
        await log.sign()
      }
    })()
    for (let i = 0; i < 5; i++) expect(await found()).toEqual([])
    isOver = true
    await growing
    expect((await check()).checked.entries).toBeGreaterThan(311)
  })

  it('verify reports that details are not checked without the master key, and exits with 0', async () => {
    const { MINISEAL_MASTER_KEY: _, ...without } = log.environment
    const output = await runCommand(verify, [], without)
    expect(output).toMatchObject({ code: 0, err: '' })
    expect(output.out).toContain('details not checked: MINISEAL_MASTER_KEY is not set')
    expect(output.out).toContain('the log key was read from the database itself')
    const pinned = await runCommand(verify, ['--vkey', log.vkey], without)
    expect(pinned.out).not.toContain('the log key was read from the database itself')
  })

  it('verify finds an entry whose bytes were changed and reports its index', async () => {
    const entry = await log.store.findLogEntry(17)
    await sql(
      `update tlog_entries set leaf = ${bytes(flip(entry?.leaf ?? Uint8Array.of(), 40))} where global_index = 17`,
    )
    expect(await found()).toContainEqual('entry-changed log 0, entry 17')
  })

  it('verify finds two entries that were swapped together with their hashes', async () => {
    const [a, b] = [await log.store.findLogEntry(20), await log.store.findLogEntry(21)]
    if (a === undefined || b === undefined) throw new Error('no entries')
    await sql('update tlog_entries set global_index = -1 where global_index = 20')
    await sql('update tlog_entries set global_index = 20 where global_index = 21')
    await sql('update tlog_entries set global_index = 21 where global_index = -1')
    const findings = await found()
    expect(findings).toContainEqual('entry-changed log 0, entry 20')
    expect(findings).toContainEqual('entry-changed log 0, entry 21')
  })

  it('verify reports two adjacent deletions as two', async () => {
    await sql('delete from tlog_entries where global_index in (50, 51)')
    const { findings } = await check()
    expect(findings).toContainEqual({
      code: 'entry-missing',
      location: 'log 0, entries 50 to 51',
      message: '2 missing from the log',
    })
    expect(findings.filter(({ code }) => code === 'checkpoint-inconsistent')).toEqual([])
  })

  it('verify finds a truncated log, even if its state and checkpoints were truncated too', async () => {
    await sql('delete from tlog_entries where global_index >= 300')
    expect(await found()).toContainEqual('entry-missing log 0, entries 300 to 310')
    // As if the last batch had never been.
    const tile = (await log.store.findTile(0, 0, 1))?.hashes ?? Uint8Array.of()
    await sql(`delete from tlog_entries where global_index >= 291`)
    await sql(`delete from tlog_checkpoints where size > 291`)
    await sql(
      `update tlog_tiles set hashes = ${bytes(tile.slice(0, 35 * 32))} where level = 0 and tile_index = 1`,
    )
    const [{ root } = { root: '' }] = (await check()).logs as unknown as readonly { root: string }[]
    await sql(`update tlog_states set size = 291`)
    const computed = (await check()).logs as unknown as readonly { root: string }[]
    expect(root).toBeDefined()
    await sql(`update tlog_states set root = ${bytes(Buffer.from(computed[0]?.root ?? '', 'base64'))}`)
    const findings = (await found()).filter((finding) => !finding.startsWith('hourly'))
    expect(findings).toEqual(['root-changed log 0', 'rolled-back log 0, size 311'])
  })

  it('verify finds a flipped byte in a tile of any level, a missing tile and an extra one', async () => {
    for (const [level, index] of [
      [0, 0],
      [0, 1],
      [1, 0],
    ]) {
      const at = `level = ${level} and tile_index = ${index}`
      const { hashes } = (await log.store.findTile(0, level ?? 0, index ?? 0)) ?? { hashes: Uint8Array.of() }
      await sql(`update tlog_tiles set hashes = ${bytes(flip(hashes, hashes.length - 1))} where ${at}`)
      expect(await found()).toContainEqual(`tile-changed log 0, tile ${level}/${index}`)
      await sql(`update tlog_tiles set hashes = ${bytes(hashes)} where ${at}`)
    }
    expect(await found()).toEqual([])
    await sql(`insert into tlog_tiles values (0, 1, 5, ${bytes(new Uint8Array(32))})`)
    expect(await found()).toEqual(['tile-beyond log 0'])
    await sql('delete from tlog_tiles where level = 1')
    expect(await found()).toContainEqual('tile-missing log 0, tile 1/0')
  })

  it('verify finds a checkpoint with changed contents, another signature or another size', async () => {
    const note = (await log.store.findCheckpoint(0, 10))?.note ?? ''
    const set = (text: string) => sql(`update tlog_checkpoints set note = '${text}' where size = 10`)
    await set(note.replace('\n10\n', '\n9\n'))
    expect(await found()).toEqual(['checkpoint-unreadable log 0, checkpoint of size 10'])
    await set(note.replace(/.\n$/, 'A\n'))
    expect((await found())[0]).toMatch(/^checkpoint-(unsigned|unreadable) log 0, checkpoint of size 10$/)
    await set('nothing')
    expect(await found()).toEqual(['checkpoint-unreadable log 0, checkpoint of size 10'])
  })

  it('verify finds search columns that differ from their entry', async () => {
    for (const [change, column] of [
      ["kind = 'login'", 'kind'],
      ["result = 'failed'", 'result'],
      ["code = 'replayed'", 'code'],
      ['at = at + 1', 'at'],
      ["app = 'wx0'", 'app'],
    ]) {
      const [{ before } = { before: '' }] = await sql(
        `select ${column} as before from tlog_entries where global_index = 30`,
      )
      await sql(`update tlog_entries set ${change} where global_index = 30`)
      const { findings } = await check()
      // The code of a refusal is in the details, not in the entry.
      const other = column === 'code' ? 'details' : 'entry'
      expect(findings).toContainEqual({
        code: 'column-changed',
        location: 'log 0, entry 30',
        message: `the column ${column} differs from the ${other}`,
      })
      const literal = before === null ? 'null' : `'${String(before)}'`
      await sql(`update tlog_entries set ${column} = ${literal} where global_index = 30`)
    }
    expect(await found()).toEqual([])
    await sql('update tlog_entries set user_blind_index = device_blind_index where global_index = 30')
    await sql('update tlog_entries set ip_blind_index = null where global_index = 31')
    const findings = await found()
    expect(findings).toContainEqual('blind-index-changed log 0, entry 31')
    // Nothing is sealed for that tag: who is not found would else look erased.
    expect(findings).toContainEqual('detail-changed log 0, entry 30')
    const counted = { kind: 'refused-aggregate', result: 'refused', user: null } as const
    await log.append([{ ...counted, code: 'replayed', facts: { code: 'key_unknown' } }])
    expect((await check()).findings).toContainEqual({
      code: 'column-changed',
      location: 'log 0, entry 311',
      message: 'the column code differs from the entry',
    })
  })

  it('verify finds a detail that was edited, exchanged, or encrypted again with other contents', async () => {
    const [a, b] = [await log.store.findLogEntry(33), await log.store.findLogEntry(36)]
    const sealed = a?.detail ?? Uint8Array.of()
    await sql(`update tlog_entries set detail = ${bytes(flip(sealed, 60))} where global_index = 33`)
    expect(await found()).toEqual(['detail-changed log 0, entry 33'])
    await sql(`update tlog_entries set detail = ${bytes(b?.detail ?? sealed)} where global_index = 33`)
    expect(await found()).toEqual(['detail-changed log 0, entry 33'])
  })

  it('verify finds a detail that was deleted before its retention ended, unless there is an erasure entry', async () => {
    const none =
      'detail = null, user_blind_index = null, device_blind_index = null, ip_blind_index = null, path_blind_index = null, area_blind_index = null'
    await sql(`update tlog_entries set ${none} where global_index in (40, 43)`)
    expect(await found()).toEqual(['detail-missing log 0, entry 40'])
    await sql('update tlog_entries set detail_expires_at = 0')
    expect(await found()).toEqual(['detail-missing log 0, entry 40'])
    // The entry of an erasure counts while it waits for its place, too.
    await log.stage([{ kind: 'erased', user: null }])
    expect(await found()).toEqual([])
    await log.sequence()
    await log.sign()
    expect((await check()).checked).toMatchObject({ details: { opened: 310, erased: 2, absent: 0 } })
  })

  it('verify finds wrong hourly counts and changed pending entries', async () => {
    await sql('update tlog_hourly_counts set entries = entries + 1')
    expect((await found()).every((finding) => finding.startsWith('hourly-count-changed'))).toBe(true)
    await sql('update tlog_hourly_counts set entries = entries - 1')
    const [pending] = await log.stage([{ user: null }])
    expect((await check()).checked).toMatchObject({ pending: 1 })
    expect(await found()).toEqual([])
    await sql(`update tlog_pending set leaf = ${bytes(flip(pending?.leaf ?? Uint8Array.of(), 10))}`)
    expect((await found())[0]).toMatch(/^pending-changed pending entry/)
    await sql('delete from tlog_hourly_counts')
    expect(await found()).toContainEqual(
      expect.stringMatching(/^hourly-count-changed hour .* refused refused replayed$/),
    )
  })

  it('verify finds a pending entry that is already in the tree', async () => {
    const [entry] = await log.append([{ user: null }])
    if (entry === undefined) throw new Error('nothing was appended')
    const macs = createRowMacs(log.keyring.current('lookup', logStart).secretKey)
    await log.store.commit([
      { kind: 'insert-pending-entry', entry: { ...entry, mac: macs.ofEntry(entry.hash) } },
    ])
    const { findings } = await check()
    expect(findings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      'pending-changed: the entry is already sequenced',
    ])
  })

  it('verify finds entries beyond the tree, entries of no log, and a missing log', async () => {
    await sql('update tlog_entries set global_index = 400 where global_index = 310')
    const findings = await found()
    expect(findings).toContainEqual('entry-beyond log 0, entry 400')
    expect(findings).toContainEqual('entry-missing log 0, entry 310')
    await sql(`update tlog_entries set global_index = ${globalIndexOf(3, 7)} where global_index = 400`)
    expect(await found()).toContainEqual(`entry-beyond index ${globalIndexOf(3, 7)}`)
    await sql('update tlog_states set log = 1')
    expect(await found()).toContainEqual('log-missing log 0')
    await sql('delete from tlog_states')
    expect(await found()).toContainEqual('log-missing pay.example.com/audit/2025')
  })

  it('verify finds that a checkpoint of a witness is no longer in the log', async () => {
    const file = join(log.folder, 'kept.checkpoint')
    writeFileSync(file, first)
    expect(await found(['--checkpoint', file])).toEqual([])
    const other = await startLog(create)
    try {
      // Another tree of the same service: the same keys, signed again and consistent in itself.
      await other.append(requests(30, 1))
      await other.store.commit([])
      writeFileSync(file, first)
      const args = ['--checkpoint', file, '--vkey', log.vkey, '--json']
      const output = await runCommand(verify, args, { ...other.environment, MINISEAL_MASTER_KEY: '' })
      expect(output.code).toBe(1)
      expect(output.out).toContain('checkpoint-inconsistent')
    } finally {
      await other.close()
    }
  })

  it('verify --since last continues from the last passed check and ignores a forged record of it', async () => {
    expect((await check(['--since', 'last'])).checked).toMatchObject({ entries: 311, since: null })
    await log.append(requests(5, 500))
    await log.sign()
    expect((await check(['--since', 'last'])).checked).toMatchObject({ entries: 5, since: [311] })
    expect((await check(['--full'])).checked).toMatchObject({ entries: 316, since: null })
    const path = join(log.folder, 'log-verified.json')
    const kept = JSON.parse(readFileSync(path, 'utf8')) as { sealed: string }
    writeFileSync(path, JSON.stringify({ sealed: kept.sealed.replace(/^..../, 'AAAA') }))
    expect((await check(['--since', 'last'])).checked).toMatchObject({ entries: 316, since: null })
  })
})
