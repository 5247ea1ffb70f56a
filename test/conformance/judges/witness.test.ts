/** A service with two witnesses: one cosigns on request, the other follows the log. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { decodeBase64Url, decodeUtf8, encodeUtf8 } from '../../../crypto/text.ts'
import { encodeVerifierKey, parseVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import type { TlogPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { encodePolicy, verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import type { TestedWitness } from '../../integration/witness/tested-witness.ts'
import { startTestedWitness, temporaryFolder } from '../../integration/witness/tested-witness.ts'
import { logIn } from '../../support/raw-client.ts'
import type { OwnService } from '../../support/service.ts'
import { startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { witness } from '../../unit/crypto/note-inputs.ts'
import { askGo } from './go-judge.ts'
import { opensslVerifies } from './openssl-judge.ts'

const folder = temporaryFolder()
const policyFile = join(folder.path, 'policy.txt')
const looking = witness('w2')
let policy: TlogPolicy
let service: OwnService
let tested: TestedWitness
let follower: TestedWitness

/** The log's verifier key, as the service publishes it. */
async function logKeyOf(origin: string) {
  // The service restarts on this port: a connection of the first one must not be reused.
  const response = await fetch(`${origin}/.well-known/miniseal`, { headers: { connection: 'close' } })
  const jws = await response.text()
  const { log } = JSON.parse(decodeUtf8(decodeBase64Url(jws.split('.')[1] ?? ''))) as {
    log: { vkey: string }
  }
  return parseVerifierKey(primitives, log.vkey)
}

const now = () => Math.floor(Date.now() / 1000)

beforeAll(async () => {
  const environment = {
    PORT: String(await freePort()),
    MINISEAL_DATA: join(folder.path, 'data'),
    MINISEAL_DATABASE: `sqlite:${join(folder.path, 'data', 'miniseal.db')}`,
  }
  // The first start creates the log key that the witnesses need.
  const first = await startTestService({ environment })
  const key = await logKeyOf(first.origin)
  await first.stop()
  tested = await startTestedWitness({ database: join(folder.path, 'w1.db'), logs: [{ key }], now })
  policy = {
    logs: [{ key }],
    witnesses: [
      { name: 'tested', key: witness('w1').key, url: tested.url },
      { name: 'looking', key: looking.key },
    ],
    groups: [],
    quorum: 'tested',
  }
  writeFileSync(policyFile, encodePolicy(primitives, policy))
  service = await startTestService({ environment: { ...environment, MINISEAL_LOG_POLICY_FILE: policyFile } })
  follower = await startTestedWitness({
    database: join(folder.path, 'w2.db'),
    logs: [{ key, url: `${service.origin}/log` }],
    signer: looking.signer,
    period: 50,
    now,
  })
}, 60_000)

afterAll(async () => {
  await follower?.stop()
  await service?.close()
  await tested?.stop()
  folder.remove()
})

/** The served checkpoint, once the policy accepts it and it is larger than `size`. */
const cosignedBeyond = async (size: number): Promise<string> =>
  await vi.waitFor(
    async () => {
      const note = await (await fetch(`${service.origin}/log/checkpoint`)).text()
      expect(verifyByPolicy(primitives, note, policy).checkpoint.size).toBeGreaterThan(size)
      return note
    },
    { timeout: 60_000, interval: 100 },
  )

it('the log is cosigned as it grows and satisfies a policy that requires the witness', async () => {
  await logIn(service)
  const first = await cosignedBeyond(1)
  const { checkpoint } = verifyByPolicy(primitives, first, policy)
  await logIn(service)
  await cosignedBeyond(checkpoint.size)
  expect(tested.events.filter(({ kind }) => kind !== 'seen')).toEqual([])
})

it('a witness without an address follows the log', async () => {
  const note = await cosignedBeyond(0)
  const { size } = verifyByPolicy(primitives, note, policy).checkpoint
  const sizes = (): readonly number[] =>
    follower.events.flatMap((event) => (event.kind === 'seen' ? [event.size] : []))
  await vi.waitFor(() => expect(sizes().at(-1)).toBeGreaterThanOrEqual(size), { timeout: 60_000 })
  expect(follower.events.filter(({ kind }) => kind === 'inconsistent')).toEqual([])
})

it('OpenSSL verifies the cosigned checkpoint', async () => {
  const { note, logSignatures } = verifyByPolicy(primitives, await cosignedBeyond(0), policy)
  const [own] = logSignatures
  const publicKey = policy.logs[0]?.key.publicKey ?? new Uint8Array(0)
  expect(opensslVerifies(encodeUtf8(note.text), own?.signature ?? new Uint8Array(0), publicKey)).toBe(true)
})

it('golang.org/x/mod verifies the cosigned log over HTTP from an earlier checkpoint', async () => {
  const previous = [await cosignedBeyond(0)]
  await logIn(service)
  const { size } = verifyByPolicy(primitives, await cosignedBeyond(1), policy).checkpoint
  const [log] = policy.logs
  if (log === undefined) throw new Error('no log')
  const vkey = encodeVerifierKey(primitives, log.key)
  const verdict = await askGo({ log: `${service.origin}/log`, vkey, previous, indexes: [0] })
  expect(verdict.size).toBeGreaterThanOrEqual(size)
})
