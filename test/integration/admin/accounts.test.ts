/** Auditors' accounts, on both engines. */
import { createHash } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { accountKeyOf, addAuditor, createAuditorVerifier } from '../../../service/admin/api/accounts.ts'
import { openStore } from '../../../service/store/open-store.ts'
import type { Store } from '../../../service/store/store.ts'
import { describeOnBothEngines, type TestDatabase } from '../store/engines.ts'

const now = 1_764_000_000
const day = 86_400
const key = accountKeyOf(new Uint8Array(32).fill(7))

describeOnBothEngines('auditors', (create) => {
  let database: TestDatabase
  let store: Store
  let clock = now

  beforeEach(async () => {
    database = await create()
    store = await openStore(database.location)
    clock = now
  })

  afterEach(async () => {
    await store.close()
    await database.remove()
  })

  const add = (name: string, days = 90): Promise<string | undefined> =>
    addAuditor(store, key, { name, role: 'reader', now: clock, days })

  it('an auditor is identified by a token, and neither it nor its digest is stored', async () => {
    const token = await addAuditor(store, key, { name: 'wei', role: 'discloser', now, days: 90 })
    expect(token).toMatch(/^msa_[A-Za-z0-9_-]{43}$/)
    const verify = createAuditorVerifier(store, key, () => clock)
    expect(await verify(token ?? '')).toEqual({ name: 'wei', role: 'discloser' })
    const [row] = await store.listAuditors()
    const digest = createHash('sha256').update(token ?? '')
    expect(Buffer.from(row?.tokenHash ?? [])).not.toEqual(digest.digest())
    expect(JSON.stringify(await database.sql('select * from auditors'))).not.toContain(token)
  })

  it('an invalid token, another token and a digest are refused', async () => {
    const token = (await add('wei')) ?? ''
    const verify = createAuditorVerifier(store, key, () => clock)
    const other = `${token.slice(0, -1)}${token.endsWith('A') ? 'E' : 'A'}`
    for (const wrong of ['', 'msa_', other, token.slice(4), `${token}=`, ` ${token}`]) {
      expect(await verify(wrong)).toBeUndefined()
    }
  })

  it('the service refuses an account that was inserted into the database, or whose name, role or time was changed', async () => {
    const verify = createAuditorVerifier(store, key, () => clock)
    const token = `msa_${'A'.repeat(43)}`
    const digest = new Uint8Array(createHash('sha256').update(token).digest())
    const times = { createdAt: now, expiresAt: now + day }
    const auditor = { name: 'eve', role: 'discloser', tokenHash: digest, ...times } as const
    await store.commit([{ kind: 'add-auditor', auditor }])
    expect(await verify(token)).toBeUndefined()
    // Bound with another key than the service's.
    const other = accountKeyOf(new Uint8Array(32).fill(8))
    const foreign = await addAuditor(store, other, { name: 'mal', role: 'reader', now, days: 1 })
    expect(await verify(foreign ?? '')).toBeUndefined()
    for (const change of [
      `role = 'discloser'`,
      `name = 'lin'`,
      `expires_at = ${now + 10 * day}`,
      `created_at = ${now - 1}`,
    ]) {
      const own = (await add('wei', 1)) ?? ''
      expect(await verify(own)).toEqual({ name: 'wei', role: 'reader' })
      await database.sql(`update auditors set ${change} where name = 'wei'`)
      expect(await verify(own), change).toBeUndefined()
      await database.sql(`delete from auditors where name in ('wei', 'lin')`)
    }
  })

  it('the service refuses a token from the second of its expiry, and from its revocation on', async () => {
    const token = (await add('wei', 1)) ?? ''
    const verify = createAuditorVerifier(store, key, () => clock)
    clock = now + day - 1
    expect(await verify(token)).toEqual({ name: 'wei', role: 'reader' })
    clock = now + day
    expect(await verify(token)).toBeUndefined()
    const next = (await add('wei')) ?? ''
    expect(await verify(next)).toEqual({ name: 'wei', role: 'reader' })
    const revoke = { kind: 'revoke-auditor', name: 'wei', now: clock } as const
    expect((await store.commit([revoke])).kind).toBe('committed')
    expect(await verify(next)).toBeUndefined()
    expect((await store.commit([revoke])).kind).toBe('refused')
  })

  it('a name can be reused only after its token expired or was revoked', async () => {
    const first = (await add('wei')) ?? ''
    expect(await add('wei')).toBeUndefined()
    const verify = createAuditorVerifier(store, key, () => clock)
    expect(await verify(first)).toBeDefined()
    await store.commit([{ kind: 'revoke-auditor', name: 'wei', now: clock }])
    const second = (await add('wei')) ?? ''
    expect(await verify(second)).toBeDefined()
    expect(await verify(first)).toBeUndefined()
    expect(await store.listAuditors()).toHaveLength(1)
  })
})
