/** The keys that encrypt the details of a user: named by 128 bits, so that no two users share one. */
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { createBlindIndex } from '../../../service/tlog/blind-index.ts'
import { logIn } from '../../support/raw-client.ts'
import { startTestService } from '../../support/service.ts'

it('a user’s key name has 16 bytes, and other blind indexes have 8', () => {
  const blindIndexOf = createBlindIndex(new Uint8Array(32).fill(1))
  const lengths = (['user', 'device', 'ip', 'path', 'area'] as const).map(
    (name) => blindIndexOf(name, 'x').length,
  )
  expect(lengths).toEqual([16, 8, 8, 8, 8])
})

it('each key and entry of a user is stored under the whole name', async () => {
  const service = await startTestService()
  try {
    for (const openid of ['one', 'another']) await logIn(service, { openid })
    const file = service.environment.MINISEAL_DATABASE?.replace('sqlite:', '') ?? ''
    const database = new Database(file, { readonly: true })
    const keys = database.prepare('select hex(subject_index) as tag from subject_keys').all() as {
      tag: string
    }[]
    const entries = database
      .prepare(
        'select distinct hex(user_blind_index) as tag from tlog_entries where user_blind_index is not null',
      )
      .all()
    database.close()
    expect(keys.map(({ tag }) => tag.length)).toEqual(keys.map(() => 32))
    expect(new Set(keys.map(({ tag }) => tag)).size).toBe(keys.length)
    for (const { tag } of entries as { tag: string }[]) expect(keys.map((key) => key.tag)).toContain(tag)
  } finally {
    await service.close()
  }
})
