/** Receipts of a service whose policy requires a witness: without its cosignature no phone takes one for proven. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { startTestService, type TestService } from '../../support/service.ts'
import { startTestWitness, type TestWitness } from '../../support/test-witness.ts'
import { createPhone, transfer } from './phone.ts'

const folder = mkdtempSync(join(tmpdir(), 'miniseal-policy-'))
let witness: TestWitness
let service: TestService

beforeAll(async () => {
  witness = await startTestWitness('w.example', 7)
  const { key, url } = witness.witness
  const path = join(folder, 'policy')
  writeFileSync(path, `witness w ${encodeVerifierKey(sodiumPrimitives, key)} ${url}\nquorum w\n`)
  service = await startTestService({ environment: { MINISEAL_LOG_POLICY_FILE: path } })
})

afterAll(async () => {
  await service.close()
  await witness.close()
  rmSync(folder, { recursive: true, force: true })
})

it('returns a pending receipt until the witness cosigns, and a verified one afterwards', async () => {
  witness.instead = { status: 503, body: '' }
  const { channel } = createPhone(service, 'alice')
  const { receipt: id = '' } = await channel.request(transfer)
  const unseen = await channel.receipt(id)
  expect(unseen).toMatchObject({
    state: 'pending',
    witnesses: [],
    policy: expect.stringContaining('quorum w\n'),
  })
  expect(unseen.steps.slice(0, 4).map(({ state }) => state)).toEqual(['ok', 'ok', 'ok', 'ok'])
  witness.instead = undefined
  await channel.request({ ...transfer, body: { ...transfer.body, amount: 1 } })
  await expect
    .poll(async () => (await channel.receipt(id)).state, { timeout: 20_000, interval: 200 })
    .toBe('verified')
  expect((await channel.receipt(id)).witnesses).toEqual(['w'])
})
