/** C2SP tlog-witness, status by status, over HTTP. */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../crypto/text.ts'
import { parseCheckpointNote, signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { cosign, cosignatureTime, noteVerifier } from '../../../crypto/tlog/cosignature.ts'
import { emptyRoot } from '../../../crypto/tlog/merkle.ts'
import { encodeNote, parseSignatureLines, verifyNote } from '../../../crypto/tlog/signed-note.ts'
import { verifyByPolicy } from '../../../crypto/tlog/tlog-policy.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { requestWitnessCosignature } from '../../../service/tlog/witnesses.ts'
import { flipped, now } from '../../unit/crypto/fixed-inputs.ts'
import { checkpointOf, policy, tree } from '../../unit/crypto/fixed-log.ts'
import { logKey, logSigner, noteSigner, origin, witness } from '../../unit/crypto/note-inputs.ts'
import { proof } from '../../unit/crypto/plain-tree.ts'
import type { Answer, TestedWitness } from './tested-witness.ts'
import {
  forkedCheckpoint,
  honestBody,
  key,
  requestBody,
  startTestedWitness,
  temporaryFolder,
} from './tested-witness.ts'

let folder: ReturnType<typeof temporaryFolder>
let tested: TestedWitness
const originHash = createHash('sha256').update(origin).digest('hex')
const latest = () => tested.get(`/${originHash}/checkpoint`)

beforeEach(async () => {
  folder = temporaryFolder()
  tested = await startTestedWitness({ database: join(folder.path, 'witness.db') })
})
afterEach(async () => {
  await tested.stop()
  folder.remove()
})

/** The time of a cosignature that verifies. */
function timeOf({ text }: Answer, size: number): number {
  const { note } = parseCheckpointNote(checkpointOf(size))
  const signatures = parseSignatureLines(text)
  const [own] = verifyNote({ text: note.text, signatures }, [noteVerifier(primitives, key)])
  return cosignatureTime(own?.signature ?? new Uint8Array(0))
}

describe('cosigned checkpoints', () => {
  it('a witness cosigns the first checkpoint of a log and each larger one', async () => {
    const first = await tested.submit(0, 5)
    expect(first).toMatchObject({ status: 200, type: 'text/plain; charset=utf-8' })
    expect(timeOf(first, 5)).toBe(now)
    tested.clock += 60
    const grown = await tested.submit(5, 64)
    expect(grown.status).toBe(200)
    expect(timeOf(grown, 64)).toBe(now + 60)
    expect((await tested.submit(64, 70)).status).toBe(200)
  })

  it('a witness cosigns an unchanged checkpoint again with the current time', async () => {
    await tested.submit(0, 70)
    tested.clock += 3600
    const again = await tested.submit(70, 70)
    expect(again.status).toBe(200)
    expect(timeOf(again, 70)).toBe(now + 3600)
  })

  it('a witness cosigns an empty log and its first entry', async () => {
    expect((await tested.submit(0, 0)).status).toBe(200)
    expect((await tested.submit(0, 0)).status).toBe(200)
    expect((await tested.submit(0, 1)).status).toBe(200)
  })

  it('a witness applies the same rules to requestWitnessCosignature', async () => {
    const submit = async (old: number, size: number) =>
      await requestWitnessCosignature(tested.url, {
        old,
        proof: proof(tree, old, size),
        note: checkpointOf(size),
      })
    expect(await submit(0, 7)).toMatchObject({ kind: 'cosigned' })
    expect(await submit(0, 70)).toEqual({ kind: 'conflict', size: 7 })
    expect(await submit(7, 70)).toMatchObject({ kind: 'cosigned' })
  })

  it('a witness serves a checkpoint with only the signatures that it verified', async () => {
    const { note } = parseCheckpointNote(checkpointOf(7))
    const other = cosign(primitives, note.text, witness('other').signer, now)
    const withOther = encodeNote({ text: note.text, signatures: [other, ...note.signatures] })
    await tested.post(requestBody(0, [], withOther))
    const { status, type, text } = await latest()
    expect({ status, type }).toEqual({ status: 200, type: 'text/plain; charset=utf-8' })
    const served = verifyByPolicy(primitives, text, policy)
    expect(served.note.signatures).toHaveLength(2)
    expect(served).toMatchObject({ checkpoint: { size: 7 }, cosignatures: [{ witness: 'w1', time: now }] })
  })
})

describe('refused checkpoints', () => {
  it.each([
    ['of an unknown log', noteSigner('other.example'), 'other.example', 404],
    ['signed by another key', noteSigner(origin, 'a key of that name'), origin, 403],
  ] as const)('a witness refuses a checkpoint %s with %4$i', async (_title, signer, of, status) => {
    const note = signCheckpoint(primitives, { origin: of, size: 7, root: tree.mth(0, 7) }, [signer])
    expect((await tested.post(requestBody(0, [], note))).status).toBe(status)
    expect((await latest()).status).toBe(404)
  })

  it('a witness refuses a wrong signature of the log with 403, even with a valid one', async () => {
    const { note } = parseCheckpointNote(checkpointOf(7))
    const [own] = note.signatures
    if (own === undefined) throw new Error('no signature')
    const wrong = { ...own, signature: flipped(own.signature, 3) }
    for (const signatures of [[wrong], [own, wrong]]) {
      const answer = await tested.post(requestBody(0, [], encodeNote({ text: note.text, signatures })))
      expect(answer.status).toBe(403)
    }
  })

  it('a witness refuses a checkpoint that is cosigned but not signed with 403', async () => {
    const { note } = parseCheckpointNote(checkpointOf(7))
    const signatures = [cosign(primitives, note.text, { ...logSigner, name: origin }, now)]
    const answer = await tested.post(requestBody(0, [], encodeNote({ text: note.text, signatures })))
    expect(answer.status).toBe(403)
  })

  it('a witness refuses a checkpoint smaller than the old size with 400', async () => {
    expect((await tested.post(requestBody(8, [], checkpointOf(7)))).status).toBe(400)
  })

  it('a witness refuses an old size other than the latest with 409 and the latest size', async () => {
    const conflict = { status: 409, type: 'text/x.tlog.size' }
    expect(await tested.submit(5, 70)).toEqual({ ...conflict, text: '0\n' })
    await tested.submit(0, 7)
    expect(await tested.submit(0, 70)).toEqual({ ...conflict, text: '7\n' })
    expect(await tested.submit(5, 70)).toEqual({ ...conflict, text: '7\n' })
    expect(await tested.submit(5, 5)).toEqual({ ...conflict, text: '7\n' })
    expect(await tested.submit(64, 70)).toEqual({ ...conflict, text: '7\n' })
  })

  it('a witness refuses an invalid proof with 422', async () => {
    await tested.submit(0, 7)
    const [first = new Uint8Array(32), ...rest] = proof(tree, 7, 70)
    const wrong = [[], rest, [flipped(first, 0), ...rest], [first, ...rest, first], proof(tree, 8, 70)]
    for (const hashes of wrong)
      expect((await tested.post(requestBody(7, hashes, checkpointOf(70)))).status).toBe(422)
    expect((await latest()).text).toContain('\n7\n')
    expect(tested.events.filter(({ kind }) => kind !== 'seen')).toEqual([])
  })

  it('a witness refuses a proof from an empty log with 422', async () => {
    expect((await tested.post(requestBody(0, [tree.mth(0, 1)], checkpointOf(7)))).status).toBe(422)
  })

  it('a witness refuses a checkpoint of another tree with 422', async () => {
    await tested.submit(0, 7)
    const answer = await tested.post(requestBody(7, proof(tree, 7, 70), forkedCheckpoint(70)))
    expect(answer.status).toBe(422)
  })

  it('a witness refuses another root of the same size with 422 and reports both checkpoints', async () => {
    await tested.submit(0, 7)
    expect((await tested.post(requestBody(7, [], forkedCheckpoint(7)))).status).toBe(422)
    expect((await latest()).text).toContain(encodeBase64(tree.mth(0, 7)))
    const [event] = tested.events.filter(({ kind }) => kind === 'inconsistent')
    expect(event).toMatchObject({ origin, notes: [forkedCheckpoint(7), (await latest()).text] })
  })

  it('a witness refuses size 0 with the root of a non-empty tree with 422', async () => {
    const note = signCheckpoint(primitives, { origin, size: 0, root: tree.mth(0, 1) }, [logSigner])
    expect((await tested.post(requestBody(0, [], note))).status).toBe(422)
    const empty = signCheckpoint(primitives, { origin, size: 0, root: emptyRoot(primitives) }, [logSigner])
    expect((await tested.post(requestBody(0, [], empty))).status).toBe(200)
  })

  const good = honestBody(5, 70)
  it.each<[string, string | Uint8Array]>([
    ['nothing', ''],
    ['no old size', good.slice(good.indexOf('\n') + 1)],
    ['an old size with a leading zero', good.replace('old 5', 'old 05')],
    ['a negative old size', good.replace('old 5', 'old -5')],
    ['an old size that is not safe', good.replace('old 5', 'old 9007199254740992')],
    ['two spaces', good.replace('old 5', 'old  5')],
    ['carriage returns', good.replace(/\n/g, '\r\n')],
    ['a short hash', good.replace('old 5\n', 'old 5\nAAAA\n')],
    ['64 hashes', good.replace('old 5\n', `old 5\n${`${'A'.repeat(43)}=\n`.repeat(64)}`)],
    ['no empty line', good.replace('\n\n', '\n')],
    ['no checkpoint', good.slice(0, good.indexOf('\n\n') + 2)],
    ['no signature', `${good.slice(0, good.lastIndexOf('\n\n') + 1)}`],
    ['trailing bytes', `${good}\n`],
    ['invalid UTF-8', Uint8Array.of(...Buffer.from('old 0\n\n'), 0xff)],
  ])('a witness refuses a request with %s with 400', async (_title, body) => {
    expect((await tested.post(body)).status).toBe(400)
  })

  it('a witness refuses an oversized request with 413 without reading it', async () => {
    expect((await tested.post(`old 0\n${'A'.repeat(200_000)}`)).status).toBe(413)
  })
})

describe('the latest checkpoint', () => {
  it('the latest checkpoint is 404 before the first one and for other logs', async () => {
    expect((await latest()).status).toBe(404)
    await tested.submit(0, 7)
    expect((await tested.get(`/${'0'.repeat(64)}/checkpoint`)).status).toBe(404)
    expect((await tested.get(`/${originHash.toUpperCase()}/checkpoint`)).status).toBe(404)
    expect((await tested.get('/')).status).toBe(404)
    expect((await tested.get('/add-checkpoint')).status).toBe(404)
  })

  it('the latest checkpoint is kept separately for each log', async () => {
    const other = noteSigner('other.example')
    const otherKey = { ...logKey, name: 'other.example', publicKey: other.publicKey }
    const both = await startTestedWitness({
      database: join(folder.path, 'both.db'),
      logs: [{ key: logKey }, { key: otherKey }],
    })
    try {
      const note = signCheckpoint(primitives, { origin: 'other.example', size: 3, root: tree.mth(0, 3) }, [
        other,
      ])
      expect((await both.submit(0, 7)).status).toBe(200)
      expect((await both.post(requestBody(0, [], note))).status).toBe(200)
      const hash = createHash('sha256').update('other.example').digest('hex')
      expect((await both.get(`/${hash}/checkpoint`)).text).toMatch(/^other\.example\n3\n/)
      expect((await both.get(`/${originHash}/checkpoint`)).text).toContain('\n7\n')
    } finally {
      await both.stop()
    }
  })
})
