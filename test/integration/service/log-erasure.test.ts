/** A person is erased: proofs stand, nothing opens, nothing is found, and others notice nothing. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, expect, it } from 'vitest'
import { erase } from '../../../service/cli/commands/audit/erase.ts'
import { readOperatorPaths } from '../../../service/config/environment.ts'
import { openKeyring } from '../../../service/keys/keyring.ts'
import { createSecretWrapper } from '../../../service/keys/wrapping.ts'
import type { Store } from '../../../service/store/store.ts'
import { createBlindIndex } from '../../../service/tlog/blind-index.ts'
import { hashLeaf } from '../../../service/tlog/tree.ts'
import { describeWithBothDatabases } from '../../support/both-databases.ts'
import { runCommand } from '../../support/command.ts'
import { sharedDatabase, sharedService } from '../../support/hooks.ts'
import {
  logIn,
  newDevice,
  prepareLogin,
  type RawSession,
  send,
  transferOf,
} from '../../support/raw-client.ts'
import { ofKind, readLog, withStore } from '../../support/read-log.ts'

describeWithBothDatabases('erasing a person', (create) => {
  let session: RawSession
  let other: RawSession
  const device = newDevice()
  const openid = 'openid-to-be-erased'
  const why = 'the words of the operator: canary-51'

  const database = sharedDatabase(create)
  const service = sharedService(() => ({ environment: database.environment }))

  beforeAll(async () => {
    // Refused before the user is known: a leaf with the device only.
    await send(service, await prepareLogin(service, { device, code: 'no-such-code' }))
    session = await logIn(service, { openid, device })
    other = await logIn(service, { openid: 'openid-of-somebody-else' })
    for (const by of [session, other]) {
      await by.send({ path: '/wallet' })
      await by.send(transferOf(3))
      await by.send({
        method: 'PUT',
        path: `/devices/${by.device.signer.keyid}`,
        body: { name: 'Canary phone' },
      })
    }
    await allPlaced()
  })

  const inStore = <T>(work: (store: Store) => Promise<T>): Promise<T> => withStore(service.environment, work)

  async function allPlaced(): Promise<void> {
    while (await inStore((store) => store.hasPending())) await sleep(50)
  }

  async function userBlindIndex(user: string): Promise<Uint8Array> {
    const { masterKeys = [] } = readOperatorPaths(service.environment)
    const now = service.now()
    return await inStore(async (store) => {
      const keyring = await openKeyring(store, createSecretWrapper(masterKeys), now)
      return createBlindIndex(keyring.current('lookup', now).secretKey)('user', user)
    })
  }

  async function miniseal(...args: readonly string[]) {
    const { code, out } = await runCommand(erase, args, service.environment)
    return { code, out }
  }

  /** Every leaf hash with its place, as a proof needs them. */
  async function tree(): Promise<string> {
    const entries = await inStore((store) => store.listLogEntries(0, Number.MAX_SAFE_INTEGER, 10_000))
    const digest = createHash('sha256')
    for (const { leaf, hash } of entries) {
      expect(Buffer.from(hashLeaf(leaf)).equals(hash)).toBe(true)
      digest.update(hash)
    }
    return `${entries.length} ${digest.digest('hex')}`
  }

  it('an erasure requires a reason in words and an existing user', async () => {
    await expect(miniseal(session.user)).rejects.toThrow(/--why/)
    await expect(miniseal(session.user, '--why', 'x', '--reason', 'whim')).rejects.toThrow(/--reason/)
    await expect(miniseal('u_nobody', '--why', 'x')).rejects.toThrow(/no user/)
    await expect(miniseal('--why', 'x')).rejects.toThrow(/missing argument USER/)
  })

  it('an erasure keeps the leaves and leaves nothing that decrypts or is found by the user', async () => {
    const tag = await userBlindIndex(session.user)
    expect(await inStore((store) => store.hasEntriesWith(tag))).toBe(true)
    const before = await readLog(service.environment)
    const hashes = new Set(before.map(({ row }) => Buffer.from(row.hash).toString('hex')))
    const treeBefore = await tree()
    const result = await miniseal(session.user, '--why', why, '--reason', 'law')
    expect(result).toEqual({ code: 0, out: `erased ${session.user}\n` })
    await allPlaced()
    const after = await readLog(service.environment)
    for (const { row } of after) hashes.delete(Buffer.from(row.hash).toString('hex'))
    expect(hashes.size).toBe(0)
    expect((await tree()).split(' ')[0]).toBe(String(Number(treeBefore.split(' ')[0]) + 1))
    expect(await inStore((store) => store.hasEntriesWith(tag))).toBe(false)
    expect(await inStore((store) => store.findSubjectKey(tag))).toBeUndefined()
    for (const { text } of after) {
      expect(text).not.toContain(session.user)
      expect(text).not.toContain(device.signer.keyid)
      expect(text).not.toContain(Buffer.from(tag).toString('latin1'))
    }
    // Somebody else's are as they were.
    const others = after.filter(({ groups }) => groups.sub?.user === other.user)
    expect(others).toHaveLength(before.filter(({ groups }) => groups.sub?.user === other.user).length)
    expect(others.every(({ row }) => row.userBlindIndex !== null && row.detail !== null)).toBe(true)
  })

  it('an erasure is logged with its reason and without the user', async () => {
    const [erased, ...more] = ofKind(await readLog(service.environment), 'erased')
    expect(more).toEqual([])
    expect(erased?.leaf).toMatchObject({ result: 'ok', facts: { reason: 'law' } })
    expect(erased?.groups).toEqual({ core: { why } })
    expect(Buffer.from(erased?.row.leaf ?? []).toString()).not.toContain('canary')
    expect(erased?.row).toMatchObject({ userBlindIndex: null, deviceBlindIndex: null })
  })

  it('an erasure ends the sessions, revokes the devices and deletes the data from WeChat', async () => {
    const reply = await session.send({ path: '/wallet' })
    expect(reply).toMatchObject({ status: 401, json: { code: 'key_revoked' } })
    const nothing = new Uint8Array(0)
    expect(await inStore((store) => store.findUser(session.user))).toMatchObject({
      openidWrapped: nothing,
      sessionKeyWrapped: nothing,
    })
    const [kept] = await inStore((store) => store.listDevices(session.user))
    expect(kept).toMatchObject({ name: null, platform: null, revokedAt: expect.any(Number) })
    expect((await other.send({ path: '/wallet' })).status).toBe(200)
  })

  it('requests of the revoked device do not restore erased data', async () => {
    await session.send({ path: '/wallet' })
    await session.send({ method: 'POST', path: '/wallet/transfers', body: {} })
    const tag = await userBlindIndex(session.user)
    expect(await inStore((store) => store.findSubjectKey(tag))).toBeUndefined()
    const refused = ofKind(await readLog(service.environment), 'refused')
    expect(refused.some(({ groups }) => groups.sub?.user === session.user)).toBe(false)
    expect(refused.some(({ row }) => row.userBlindIndex !== null)).toBe(false)
  })

  it('a repeated erasure changes nothing and logs nothing', async () => {
    const result = await miniseal(session.user, '--why', why)
    expect(result.out).toContain('is already erased')
    expect(ofKind(await readLog(service.environment), 'erased')).toHaveLength(1)
  })

  it('an erased person can log in again, with a new subject key and no earlier data', async () => {
    const back = await logIn(service, { openid })
    expect(back.user).toBe(session.user)
    expect((await back.send({ path: '/wallet' })).status).toBe(200)
    // The earlier session has no user.
    expect((await session.send({ path: '/wallet' })).status).toBe(401)
    const mine = (await readLog(service.environment)).filter(({ groups }) => groups.sub?.user === back.user)
    expect(mine.map(({ leaf }) => leaf.kind).sort()).toEqual(['device-added', 'login', 'request'])
  })
})
