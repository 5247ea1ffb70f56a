/** An attacker with write access to the database and without the log key, before entries are signed. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { encodeLeaf } from '../../../crypto/tlog/audit-leaf.ts'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { verify } from '../../../service/cli/commands/audit/verify.ts'
import { sessions } from '../../../service/cli/commands/sessions.ts'
import type { AuthenticatedPendingEntry } from '../../../service/store/tlog-entries.ts'
import { leafIdText, newLeafId } from '../../../service/tlog/entry.ts'
import { startWrites } from '../../../service/tlog/origin.ts'
import { growTree, hashLeaf } from '../../../service/tlog/tree.ts'
import { isSettled } from '../../support/audit-traffic.ts'
import { describeWithBothDatabases, disturb, type ServiceDatabase } from '../../support/both-databases.ts'
import { type CommandResult, runCommand } from '../../support/command.ts'
import { testMacs } from '../../support/log-records.ts'
import { logIn, transferOf } from '../../support/raw-client.ts'
import { ofKind, readLog, withStore } from '../../support/read-log.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { stolenMacs } from '../../support/stolen.ts'

const transfer = transferOf(100)

/** An erasure entry that would excuse deleted details, with a forged MAC or with none. */
function madeUp(kind: string, isSealed: boolean): AuthenticatedPendingEntry {
  const at = Date.now()
  const id = newLeafId(at)
  const facts = { reason: 'law' }
  const leaf = encodeLeaf({ id: leafIdText(id), kind: 'erased', result: 'ok', retention: '5y', at, facts })
  const hash = hashLeaf(leaf)
  const nothing = { code: null, app: null, detail: null, detailExpiresAt: 0 }
  const tags = {
    userBlindIndex: null,
    deviceBlindIndex: null,
    ipBlindIndex: null,
    pathBlindIndex: null,
    areaBlindIndex: null,
  }
  const mac = isSealed ? testMacs.ofEntry(hash) : null
  return { id, hash, leaf, at, kind, result: 'ok', ...nothing, ...tags, mac }
}

describeWithBothDatabases('who may write the database', (create) => {
  let database: ServiceDatabase
  let service: OwnService

  beforeEach(async () => {
    database = await create()
    const environment = { PORT: String(await freePort()), ...database.environment }
    service = await startTestService({ environment })
    expect((await (await logIn(service)).send(transfer)).status).toBe(201)
    await isSettled(service)
  })

  afterEach(async () => {
    await service.close()
    await database.remove()
  })

  const status = async (): Promise<string> =>
    ((await (await fetch(`${service.url}/readyz`)).json()) as { log: { status: string } }).log.status
  const check = (): Promise<CommandResult> => runCommand(verify, [], service.environment)

  it.each([
    ['that has no MAC', 'erased', false],
    ['under a seal of theirs', 'erased', true],
    ['in a row that calls it an operator’s', 'session-ended', false],
  ])('an attacker without the log key cannot get a leaf signed %s', async (_, kind, isSealed) => {
    const session = await logIn(service)
    await isSettled(service)
    const entry = madeUp(kind, isSealed)
    await withStore(service.environment, (store) => store.commit([{ kind: 'insert-pending-entry', entry }]))
    await vi.waitFor(async () => expect(await status()).toBe('tree-damaged'), { timeout: 60_000 })
    expect((await session.send(transfer)).json.code).toBe('unavailable')
    expect((await check()).out).toContain('FAILED pending-changed')
    // The log continues without the entry, which was never in the tree.
    await disturb(service, 'delete from tlog_pending')
    await vi.waitFor(async () => expect(await status()).toBe('open'), { timeout: 60_000 })
    expect((await session.send(transfer)).status).toBe(201)
    expect(ofKind(await readLog(service.environment), 'erased')).toEqual([])
  })

  it('an attacker without the log key cannot get a leaf signed that they inserted into the tree', async () => {
    await service.stop()
    await withStore(service.environment, async (store) => {
      await store.commit([{ kind: 'insert-pending-entry', entry: madeUp('erased', false) }])
      const grown = await store.sequence((batch) => ({ ...growTree(batch), mac: batch.state.mac }), 1)
      expect(grown).toMatchObject({ kind: 'sequenced', leaves: 1 })
    })
    service = await service.restart()
    expect(await status()).toBe('tree-damaged')
    const output = await check()
    expect(output).toMatchObject({ code: 1, out: expect.stringContaining('FAILED root-changed') })
    await withStore(service.environment, async (store) => {
      const size = (await store.findLogState())?.size ?? 0
      expect((await store.findLatestCheckpoint(0))?.size).toBe(size - 1)
    })
  })

  it('an attacker without the log key cannot end the log as an operator to explain a truncation', async () => {
    await service.stop()
    await withStore(service.environment, async (store) => {
      const signed = await store.findLatestCheckpoint(0)
      const { checkpoint: previous } = parseCheckpointNote(signed?.note ?? '')
      const origin = `${previous.origin}-2`
      const writes = startWrites({ log: 1, origin, previous, now: service.now(), macs: testMacs })
      expect(await store.commit(writes)).toEqual({ kind: 'committed' })
    })
    service = await service.restart()
    expect(await status()).toBe('tree-damaged')
    expect(await check()).toMatchObject({ code: 1, out: expect.stringContaining('FAILED root-changed') })
  })

  it('an attacker with write access can delete a pending entry, and nothing signed contains it', async () => {
    const macs = await stolenMacs(service)
    await service.stop()
    const entry = { ...madeUp('erased', false) }
    await withStore(service.environment, (store) =>
      store.commit([{ kind: 'insert-pending-entry', entry: { ...entry, mac: macs.ofEntry(entry.hash) } }]),
    )
    await disturb(service, 'delete from tlog_pending')
    service = await service.restart()
    expect(await status()).toBe('open')
    expect((await check()).code).toBe(0)
  })

  it("an attacker with write access can have a session end logged as an operator's", async () => {
    const session = await logIn(service)
    const { MINISEAL_DATABASE = '' } = service.environment
    const bare = { MINISEAL_DATABASE, MINISEAL_DATA: '/nonexistent', NODE_ENV: 'production' }
    expect((await runCommand(sessions, ['revoke', session.user, '--all'], bare)).code).toBe(0)
    await isSettled(service)
    expect(await status()).toBe('open')
    expect(ofKind(await readLog(service.environment), 'session-ended')).toHaveLength(1)
    expect((await check()).code).toBe(0)
  })
})
