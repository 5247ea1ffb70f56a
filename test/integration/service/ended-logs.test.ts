/** A log that has ended: its receipts and evidence remain valid for released clients and auditors. */
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { LogKeys } from '../../../crypto/frames/channel-configuration.ts'
import { bundleClient } from '../../../miniprogram/build/bundle.ts'
import type { Channel, createChannel, Receipt } from '../../../miniprogram/client/index.ts'
import { fetchTransport } from '../../../miniprogram/client/node.ts'
import { checkEvidenceCommand } from '../../../service/cli/commands/audit/check-evidence.ts'
import { evidence } from '../../../service/cli/commands/audit/evidence.ts'
import { newOrigin } from '../../../service/cli/commands/audit/new-origin.ts'
import { runCommand, runKeys } from '../../support/command.ts'
import { fetchConfiguration } from '../../support/raw-client.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { temporaryFolder } from '../witness/tested-witness.ts'

const old = 'pay.example.com/audit/2026'
const folder = temporaryFolder()
let shipped: typeof createChannel
let service: OwnService
/** Logged in before the first log ended. */
let early: Channel
/** The receipt of a transfer in the first log. */
let paid: string

/** The client as phones have it, in the realm of the test. */
async function loadShipped(): Promise<typeof createChannel> {
  const { code } = await bundleClient()
  const module = { exports: {} as { createChannel: typeof createChannel } }
  new Function('module', 'exports', code)(module, module.exports)
  return module.exports.createChannel
}

function newPhone(): Channel {
  const kept = new Map<string, string>()
  return shipped({
    origin: service.origin,
    appid: service.appid,
    roots: service.roots,
    transport: fetchTransport(),
    random: async (length) => new Uint8Array(randomBytes(length)),
    login: () => service.code('openid-of-a-payer'),
    platform: { platform: 'test', base: '0' },
    storage: {
      get: async (key) => kept.get(key),
      set: async (key, value) => void kept.set(key, value),
      remove: async (key) => void kept.delete(key),
    },
  })
}

async function transfer(phone: Channel): Promise<string> {
  const body = { payee: 'bob', amount: 1_250, currency: 'CNY' }
  const { receipt } = await phone.request({ method: 'POST', path: '/wallet/transfers', body })
  if (receipt === undefined) throw new Error('no receipt')
  return receipt
}

const originOf = ({ checkpoint }: Receipt): string | undefined => checkpoint?.split('\n')[0]
const publishedLog = async (): Promise<LogKeys> => (await fetchConfiguration(service)).log
const exportedLog = async (): Promise<LogKeys> =>
  JSON.parse((await runKeys(['export', '--json'], service.environment)).out).log

beforeAll(async () => {
  shipped = await loadShipped()
  const port = String(await freePort())
  service = await startTestService({
    environment: {
      PORT: port,
      MINISEAL_ORIGIN: `http://127.0.0.1:${port}`,
      MINISEAL_DATA: join(folder.path, 'data'),
      MINISEAL_DATABASE: `sqlite:${join(folder.path, 'data', 'miniseal.db')}`,
      MINISEAL_LOG_ORIGIN: old,
    },
  })
  early = newPhone()
  paid = await transfer(early)
}, 60_000)

afterAll(async () => {
  await service?.close()
  folder.remove()
})

it('the configuration lists no ended log before one has ended', async () => {
  const { vkey } = await publishedLog()
  expect(await publishedLog()).toEqual({ origin: old, vkey })
  expect(await exportedLog()).toEqual({ origin: old, vkey })
  expect((await early.receipt(paid)).state).toBe('verified')
})

it('a running service lists an ended log within a second, and its receipts verify on every phone', async () => {
  const before = await publishedLog()
  const { code, out } = await runCommand(newOrigin, [], service.environment)
  expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining(`started log ${old}-2`) })
  await vi.waitFor(async () => expect((await publishedLog()).origin).toBe(`${old}-2`), 60_000)
  // With the new name at once: what a phone fetches now, it keeps for a day.
  const after = await publishedLog()
  expect(after.ended).toEqual([before.vkey])
  expect(after.vkey).not.toBe(before.vkey)
  for (const phone of [early, newPhone()]) {
    const receipt = await phone.receipt(paid)
    expect(receipt).toMatchObject({ state: 'verified', steps: Array(4).fill({ state: 'ok' }) })
    expect(originOf(receipt)).toBe(old)
    const later = await phone.receipt(await transfer(phone))
    expect([later.state, originOf(later)]).toEqual(['verified', `${old}-2`])
  }
})

it('the verifier key of an ended log is exported for checking evidence', async () => {
  const log = await exportedLog()
  expect(log).toEqual(await publishedLog())
  const [vkey = ''] = log.ended ?? []
  expect((await runKeys(['export'], service.environment)).out).toContain(`\nended log  ${vkey}\n`)
  const file = join(folder.path, 'evidence.zip')
  expect((await runCommand(evidence, [paid, '--out', file], service.environment)).code).toBe(0)
  // The log's name does not say which service it is of.
  const check = (...args: readonly string[]) => runCommand(checkEvidenceCommand, [file, ...args], {})
  expect((await check('--vkey', vkey, '--origin', service.origin)).code).toBe(0)
  expect((await check('--vkey', vkey)).out).toContain('which is not this service')
  // The same key, named for the log of now.
  expect((await check('--vkey', log.vkey, '--origin', service.origin)).code).toBe(1)
})

it('an ended log remains listed after a restart and after the end of the next one', async () => {
  await service.stop()
  service = await startTestService({ environment: service.environment, maintenancePeriod: 300 })
  expect((await publishedLog()).ended).toHaveLength(1)
  await runCommand(newOrigin, [], service.environment)
  await vi.waitFor(async () => expect((await publishedLog()).origin).toBe(`${old}-3`), 60_000)
  const { ended = [] } = await publishedLog()
  expect(ended.map((vkey) => vkey.split('+')[0])).toEqual([`${old}-2`, old])
  expect((await newPhone().receipt(paid)).state).toBe('verified')
})

it('receipts of an ended log fail after its key is revoked', async () => {
  const leaked = await publishedLog()
  const [, kid = ''] = /^log +(\S{43})/m.exec((await runKeys(['list'], service.environment)).out) ?? []
  expect((await runKeys(['rotate', 'log'], service.environment)).code).toBe(0)
  expect((await runKeys(['revoke', 'log', kid, '--now'], service.environment)).code).toBe(0)
  const isKnown = (log: LogKeys): boolean =>
    [log.vkey, ...(log.ended ?? [])].some((vkey) => (leaked.ended ?? []).includes(vkey))
  await vi.waitFor(async () => expect(isKnown(await publishedLog())).toBe(false), 60_000)
  // Its name is still there, with the key that is in use: it is the key that is gone.
  expect((await publishedLog()).ended?.map((vkey) => vkey.split('+')[0])).toEqual([`${old}-2`, old])
  const phone = newPhone()
  const receipt = await phone.receipt(paid)
  expect(receipt.state).toBe('failed')
  expect(receipt.steps.map(({ state }) => state)).toEqual(['ok', 'ok', 'failed', 'failed'])
  expect((await phone.receipt(await transfer(phone))).state).toBe('verified')
}, 60_000)
