/** Filters in words, and what they find, on both engines. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FilterInput } from '../../../service/admin/api/search.ts'
import {
  createAuditSearch,
  FilterError,
  parseCursor,
  parseFilter,
} from '../../../service/admin/api/search.ts'
import { leafIdText } from '../../../service/tlog/entry.ts'
import type { WrittenLog } from '../../support/written-log.ts'
import { entryTime, requests, startLog } from '../../support/written-log.ts'
import { describeOnBothEngines } from '../store/engines.ts'

describe('filters', () => {
  it('a search accepts every filter word and ignores an empty one', () => {
    expect(
      parseFilter({
        from: '2026-01-31',
        to: '2026-01-31T08:00:00+08:00',
        user: 'u_x',
        path: '/wallet/*',
        kind: 'request',
        result: 'refused',
        code: 'replayed',
        ip: '2001:db8::7',
        device: '',
      }),
    ).toEqual({
      from: Date.UTC(2026, 0, 31),
      until: Date.UTC(2026, 0, 31),
      user: 'u_x',
      area: '/wallet',
      kind: 'request',
      result: 'refused',
      code: 'replayed',
      ip: '2001:db8::7',
    })
  })

  it('a search accepts a receipt in each of its forms', () => {
    const hash = new Uint8Array(32).map((_, i) => i * 8)
    const base64 = Buffer.from(hash).toString('base64')
    for (const receipt of [
      Buffer.from(hash).toString('hex'),
      Buffer.from(hash).toString('base64url'),
      base64,
      `:${base64}:`,
    ]) {
      expect(parseFilter({ receipt })).toEqual({ hash })
    }
    expect(parseFilter({ receipt: '0199c0de-0000-7000-8000-000000000001' }).id).toHaveLength(16)
  })

  it('a search refuses an invalid word and names it', () => {
    const wrong: readonly FilterInput[] = [
      { from: 'yesterday' },
      { from: '2026-01-31T08:00:00' },
      { to: '2026-13-01' },
      { user: 'a b' },
      { device: 'short' },
      { path: 'wallet' },
      { path: '/wallet?x=1' },
      { path: '/a/b/*' },
      { path: '/wallet//transfers' },
      { path: '/wallet/%74ransfers' },
      { path: '/wallet;x' },
      { kind: 'DROP TABLE' },
      { result: 'maybe' },
      { code: '-' },
      { ip: '1.2.3.4; --' },
      { receipt: 'x' },
    ]
    for (const words of wrong) {
      const [field] = Object.keys(words)
      expect(() => parseFilter(words)).toThrow(FilterError)
      expect(() => parseFilter(words)).toThrow(expect.objectContaining({ field }))
    }
    expect(parseCursor('before', '12')).toBe(12)
    for (const text of ['', '012', '-1', 'x', '9'.repeat(16)])
      expect(() => parseCursor('before', text)).toThrow(expect.objectContaining({ field: 'before' }))
  })
})

describeOnBothEngines('search', (create) => {
  let log: WrittenLog

  beforeEach(async () => {
    log = await startLog(create)
    await log.append([
      ...requests(40),
      { kind: 'refused', result: 'refused', code: 'replayed', user: null, ip: '198.51.100.9' },
      { kind: 'login', user: 'u_new', path: '/sessions' },
      ...requests(20, 100),
    ])
  })

  afterEach(() => log.close())

  const places = async (words: FilterInput): Promise<readonly number[]> => {
    const { entries } = await createAuditSearch(log.store, log.blindIndexOf).page(
      parseFilter(words),
      undefined,
      100,
    )
    return entries.map(({ globalIndex }) => globalIndex)
  }

  it('a search filters by each column and blind index and by all of them, newest first', async () => {
    expect((await places({})).slice(0, 3)).toEqual([62, 61, 60])
    expect(await places({ kind: 'refused' })).toEqual([41])
    expect(await places({ result: 'refused' })).toEqual([41])
    expect(await places({ code: 'replayed', ip: '198.51.100.9' })).toEqual([41])
    expect(await places({ user: 'u_new' })).toEqual([42])
    expect(await places({ path: '/wallet/transfers/7' })).toEqual([8])
    expect(await places({ path: '/wallet/*' })).toHaveLength(62)
    expect(await places({ path: '/wallet/*', user: 'u_person-1', result: 'ok' })).toHaveLength(20)
    expect(await places({ user: 'u_new', kind: 'refused' })).toEqual([])
    const entry = await log.store.findLogEntry(5)
    if (entry === undefined) throw new Error('no entry')
    expect(await places({ receipt: leafIdText(entry.id) })).toEqual([5])
    expect(await places({ receipt: Buffer.from(entry.hash).toString('base64url') })).toEqual([5])
  })

  it('a search filters by time to the millisecond, excluding the end', async () => {
    const text = (seed: number): string => new Date(entryTime(seed)).toISOString()
    expect(await places({ from: text(10), to: text(13) })).toEqual([12, 11, 10])
    expect(await places({ from: text(60) })).toEqual([62, 61, 60])
    expect(await places({ to: text(2) })).toEqual([1, 0])
  })

  it('pages of a search list every entry once while entries are added', async () => {
    const search = createAuditSearch(log.store, log.blindIndexOf)
    const seen: number[] = []
    let before: number | undefined
    do {
      const page = await search.page({ area: '/wallet' }, before, 7)
      seen.push(...page.entries.map(({ globalIndex }) => globalIndex))
      before = page.next
      await log.append(requests(1, 500 + seen.length))
    } while (before !== undefined)
    expect(seen).toHaveLength(62)
    expect(new Set(seen).size).toBe(62)
    expect(seen).toEqual([...seen].sort((a, b) => b - a))
  })
})
