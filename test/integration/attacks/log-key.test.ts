/**
 * An attacker with the log key and write access to the database and the pinned checkpoint, who rewrites the past with
 * correct hashes, tiles and signatures. The service's own checks cannot detect this; copies kept elsewhere do.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../../crypto/tlog/cosignature.ts'
import { encodeSignatureLine, encodeVerifierKey, type VerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { type TlogPolicy, verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { checkEvidenceCommand } from '../../../service/cli/commands/audit/check-evidence.ts'
import { evidence } from '../../../service/cli/commands/audit/evidence.ts'
import { verify } from '../../../service/cli/commands/audit/verify.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { leafIdText } from '../../../service/tlog/entry.ts'
import { isSettled } from '../../support/audit-traffic.ts'
import { runCommand } from '../../support/command.ts'
import { logIn, transferOf } from '../../support/raw-client.ts'
import { ofKind, readLog } from '../../support/read-log.ts'
import { type OwnService, startTestService } from '../../support/service.ts'
import { freePort } from '../../support/service-process.ts'
import { rewriteLog, stolenKey } from '../../support/stolen.ts'
import { witness } from '../../unit/crypto/note-inputs.ts'
import { startTestedWitness, type TestedWitness, temporaryFolder } from '../witness/tested-witness.ts'

const folder = temporaryFolder()
const [own, foreign] = [witness('w1'), witness('w2')]
let service: OwnService
let follower: TestedWitness
let key: VerifierKey
/** A file with the checkpoint that an external party saved. */
let kept: string
/** The evidence that a person kept of their transfer, as a file. */
let bundle: string
/** What the attacker has signed. */
let forged: string

const checkpoint = async (): Promise<string> =>
  await (await fetch(`${service.url}/log/checkpoint`, { headers: { connection: 'close' } })).text()

const vkey = (): string => encodeVerifierKey(primitives, key)

const policyOf = (quorum: string | undefined): TlogPolicy => ({
  logs: [{ key }],
  witnesses: [
    { name: 'own', key: own.key },
    { name: 'foreign', key: foreign.key },
  ],
  groups: [{ name: 'both', threshold: 2, members: ['own', 'foreign'] }],
  quorum,
})

const hasSeen = async (note: string): Promise<void> => {
  const { size } = parseCheckpointNote(note).checkpoint
  await vi.waitFor(
    () => expect(follower.events).toContainEqual(expect.objectContaining({ kind: 'seen', size })),
    { timeout: 60_000 },
  )
}

const follow = (): Promise<TestedWitness> =>
  startTestedWitness({
    database: join(folder.path, 'w2.db'),
    logs: [{ key, url: `${service.origin}/log` }],
    signer: foreign.signer,
    period: 50,
    now: () => Math.floor(Date.now() / 1000),
  })

beforeAll(async () => {
  service = await startTestService({ environment: { PORT: String(await freePort()) } })
  const stolen = await stolenKey(service, 'log')
  const [origin = ''] = (await checkpoint()).split('\n')
  key = { kind: 'ed25519', name: origin, publicKey: stolen.publicKey }
  follower = await follow()
  const session = await logIn(service)
  expect((await session.send(transferOf(1_250))).status).toBe(201)
  await logIn(service)
  await isSettled(service)
  await hasSeen(await checkpoint())
  kept = join(folder.path, 'kept.checkpoint')
  writeFileSync(kept, await checkpoint())
  const [paid] = ofKind(await readLog(service.environment), 'request')
  if (paid === undefined) throw new Error('no transfer')
  bundle = join(folder.path, 'evidence.zip')
  const id = leafIdText(paid.row.id)
  expect((await runCommand(evidence, [id, '--out', bundle], service.environment)).code).toBe(0)
  // A connection attempt to an unused local port could occupy the port.
  await follower.stop()
  await service.stop()
  // The rewritten log has neither the transfer nor the export of the evidence.
  forged = await rewriteLog(
    service,
    stolen,
    ({ kind, result }) => !(kind === 'request' && result === 'ok') && kind !== 'audit-exported',
  )
  service = await service.restart()
  follower = await follow()
}, 60_000)

afterAll(async () => {
  await follower?.stop()
  await service?.close()
  folder.remove()
})

it('a rewrite with a stolen log key passes every check that only uses the database', async () => {
  const ready = (await (await fetch(`${service.url}/readyz`)).json()) as { log: { status: string } }
  expect(ready.log.status).toBe('open')
  expect(ofKind(await readLog(service.environment), 'request')).toEqual([])
  expect((await runCommand(verify, ['--vkey', vkey()], service.environment)).code).toBe(0)
})

it('a rewrite with a stolen log key is detected with one earlier checkpoint', async () => {
  const output = await runCommand(verify, ['--vkey', vkey(), '--checkpoint', kept], service.environment)
  expect(output).toMatchObject({ code: 1, out: expect.stringContaining('FAILED') })
  const outside = ['--url', `${service.url}/log`, '--vkey', vkey(), '--checkpoint', kept]
  expect((await runCommand(verify, outside, {})).code).toBe(1)
})

it('a witness detects a rewrite, does not cosign it and holds both signed checkpoints', async () => {
  await vi.waitFor(
    () => expect(follower.events).toContainEqual(expect.objectContaining({ kind: 'inconsistent' })),
    { timeout: 60_000 },
  )
  const found = follower.events.find((event) => event.kind === 'inconsistent')
  const notes = found?.kind === 'inconsistent' ? found.notes : []
  expect(notes).toHaveLength(2)
  // Each of them passes as the log's: the log has contradicted itself, and cannot deny it.
  for (const note of notes) verifyByPolicy(primitives, note, policyOf(undefined))
  expect(() => verifyByPolicy(primitives, forged, policyOf('foreign'))).toThrow()
})

it('evidence still verifies after a rewrite of the log', async () => {
  const output = await runCommand(checkEvidenceCommand, [bundle, '--vkey', vkey()], {})
  expect(output.code).toBe(0)
})

it('a rewrite passes a policy whose witness key was stolen too, and no policy with another witness', async () => {
  const { note } = parseCheckpointNote(forged)
  const line = encodeSignatureLine(cosign(primitives, note.text, own.signer, Math.floor(Date.now() / 1000)))
  const cosigned = forged + line
  expect(verifyByPolicy(primitives, cosigned, policyOf('own')).checkpoint.size).toBeGreaterThan(0)
  expect(() => verifyByPolicy(primitives, cosigned, policyOf('both'))).toThrow()
})
