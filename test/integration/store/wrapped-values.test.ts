/** Values under an old master key are listed and replaced, on both engines; takeovers; activation of service keys. */
import { getTableColumns, getTableName } from 'drizzle-orm'
import { expect, test } from 'vitest'
import * as schema from '../../../service/store/sqlite/schema.ts'
import type { RowKey } from '../../../service/store/wrapped-values.ts'
import { wrappedColumns } from '../../../service/store/wrapped-values.ts'
import { describeOnBothEngines, openForEach } from './engines.ts'
import {
  bytes,
  claimIdempotency,
  endServiceKey,
  insertServiceKey,
  insertSubjectKey,
  login,
  NOW,
  pushEvent,
} from './records.ts'

const oldPrefix = Uint8Array.of(1, 0, 0, 0, 1)
const prefix = Uint8Array.of(1, 0, 0, 0, 2)
const under = (start: Uint8Array, seed: number): Uint8Array => Uint8Array.of(...start, ...bytes(40, seed))

test('every column named *_wrapped is rewrapped under a new master key', () => {
  const tables = Object.values(schema).filter((value) => typeof value === 'object' && 'getSQL' in value)
  const named = tables.flatMap((table) =>
    Object.values(getTableColumns(table)).map(({ name }) => `${getTableName(table)}.${name}`),
  )
  expect(named.filter((name) => name.endsWith('_wrapped')).sort()).toEqual([...wrappedColumns].sort())
})

describeOnBothEngines('wrapped values', (create) => {
  const at = openForEach(create)
  const { commit } = at

  async function answer(key: string, responseWrapped: Uint8Array): Promise<void> {
    const settle = {
      kind: 'complete-idempotency',
      user: 'user-1',
      key,
      startedAt: NOW,
      responseWrapped,
      now: NOW,
    } as const
    expect(await commit(claimIdempotency(key), settle)).toBe('committed')
  }

  async function list(limit: number): Promise<RowKey[]> {
    const rows: RowKey[] = []
    for (;;) {
      const batch = await at.store.listWrapped(
        'idempotency_keys.response_wrapped',
        prefix,
        rows.at(-1),
        limit,
      )
      rows.push(...batch.map(({ row }) => row))
      if (batch.length < limit) return rows
    }
  }

  test('values without the current prefix are listed batch by batch in order, and empty ones are skipped', async () => {
    for (const key of ['c', 'a', 'e', 'b']) await answer(key, under(oldPrefix, 1))
    await answer('d', under(prefix, 1))
    await commit(claimIdempotency('open'))
    expect(await list(2)).toEqual(['a', 'b', 'c', 'e'].map((key) => ['user-1', key]))
    expect(await at.store.countWrapped('idempotency_keys.response_wrapped', prefix)).toBe(4)
    expect(await at.store.countWrapped('idempotency_keys.response_wrapped', oldPrefix)).toBe(1)
  })

  test('a value of every column is replaced, and refused when it has changed', async () => {
    await login(at.store)
    await commit(insertServiceKey(), insertSubjectKey())
    await answer('one', under(oldPrefix, 1))
    await commit(pushEvent(1, { payloadWrapped: under(oldPrefix, 2) }))
    for (const column of wrappedColumns) {
      const [value, ...more] = await at.store.listWrapped(column, prefix, undefined, 10)
      if (value === undefined) throw new Error(`nothing in ${column}`)
      expect(more).toEqual([])
      const swap = {
        kind: 'replace-wrapped',
        column,
        row: value.row,
        from: value.wrapped,
        to: under(prefix, 9),
      } as const
      expect(await commit({ ...swap, from: bytes(40, 99) })).toBe('refused')
      expect(await commit(swap)).toBe('committed')
      expect(await commit(swap)).toBe('refused')
      expect(await at.store.countWrapped(column, prefix)).toBe(0)
    }
    expect((await at.store.findSession(bytes(16, 1)))?.s2cWrapped).toEqual(under(prefix, 9))
    expect((await at.store.findUser('user-1'))?.openidWrapped).toEqual(under(prefix, 9))
  })

  test('of many simultaneous takeovers of an old open claim exactly one commits', async () => {
    await commit(claimIdempotency('key'))
    const takeOver = {
      kind: 'take-over-idempotency',
      user: 'user-1',
      key: 'key',
      startedBefore: NOW + 1,
      now: NOW + 61,
    } as const
    expect(await commit({ ...takeOver, startedBefore: NOW })).toBe('refused')
    expect(await commit({ ...takeOver, user: 'user-2' })).toBe('refused')
    const results = await Promise.all(Array.from({ length: 8 }, () => commit(takeOver)))
    expect(results.filter((result) => result === 'committed')).toHaveLength(1)
    expect((await at.store.findIdempotency('user-1', 'key'))?.startedAt).toBe(NOW + 61)
    const own = { user: 'user-1', key: 'key', startedAt: NOW + 61 } as const
    const settle = { kind: 'complete-idempotency', responseWrapped: null, now: NOW + 62 } as const
    // The first one was only slow. The key is not its own any more: not to settle, and not to free for another request.
    expect(await commit({ ...settle, ...own, startedAt: NOW })).toBe('refused')
    expect(await commit({ kind: 'release-idempotency', ...own, startedAt: NOW })).toBe('refused')
    expect(await commit({ ...settle, ...own })).toBe('committed')
    expect(await commit({ ...takeOver, startedBefore: NOW + 100 })).toBe('refused')
  })

  test('a service key is activated until it has an end, and revoked until it has ended', async () => {
    await commit(insertServiceKey('a'), insertServiceKey('b'))
    const start = { kind: 'activate-service-key', keyKind: 'signing', kid: 'a', notBefore: NOW + 9 } as const
    const cut = { kind: 'revoke-service-key', keyKind: 'signing', kid: 'a', now: NOW + 3 } as const
    expect(await commit({ ...start, keyKind: 'root' })).toBe('refused')
    expect(await commit(start)).toBe('committed')
    expect(await commit(endServiceKey('a', NOW + 5))).toBe('committed')
    expect(await commit(start)).toBe('refused')
    expect(await commit({ ...cut, kid: 'c' })).toBe('refused')
    expect(await commit(cut)).toBe('committed')
    expect(await commit(cut)).toBe('refused')
    const ends = (await at.store.listServiceKeys()).map(({ kid, notBefore, notAfter }) => [
      kid,
      notBefore,
      notAfter,
    ])
    expect(ends).toEqual([
      ['a', NOW + 9, NOW + 3],
      ['b', NOW, 0],
    ])
    expect(await commit({ ...cut, kid: 'b' })).toBe('committed')
  })
})
