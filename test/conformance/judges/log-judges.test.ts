/** Logs that `crypto/` writes, verified by golang.org/x/mod and OpenSSL. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeUtf8 } from '../../../crypto/text.ts'
import { parseCheckpointNote } from '../../../crypto/tlog/checkpoint.ts'
import { cosign } from '../../../crypto/tlog/cosignature.ts'
import { hashLeaf } from '../../../crypto/tlog/merkle.ts'
import { encodeNote, encodeVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { encodeTlogProof } from '../../../crypto/tlog/tlog-proof.ts'
import { foldPlan, inclusionPlan } from '../../../crypto/tlog/tree-plan.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { startUpstream } from '../../support/upstream.ts'
import { flipped, now } from '../../unit/crypto/fixed-inputs.ts'
import { logKey, logSigner, origin, witness } from '../../unit/crypto/note-inputs.ts'
import { plainTree } from '../../unit/crypto/plain-tree.ts'
import { askGo } from './go-judge.ts'
import { opensslVerifies } from './openssl-judge.ts'
import { entryAt, vkey, writeLog } from './tile-folder.ts'

const sizes = [1, 2, 255, 256, 257, 70_000] as const
const base = mkdtempSync(join(tmpdir(), 'miniseal-logs-'))
const notes = new Map<number, string>()
const folderOf = (size: number) => join(base, `${size}`)
const noteOf = (size: number) => notes.get(size) ?? ''

beforeAll(() => {
  for (const size of sizes) notes.set(size, writeLog(folderOf(size), size))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

describe('golang.org/x/mod', () => {
  it.each([
    [1, 1],
    [2, 1],
    [255, 1],
    [256, 2],
    [257, 3],
    [70_000, 277],
  ] as const)(
    'golang.org/x/mod verifies a log of %i entries: its %i tiles, entries, inclusion and consistency',
    async (size, tiles) => {
      const indexes = [...new Set([0, 1, 254, 255, 256, 65_535, 65_536, size - 1])].filter(
        (index) => index < size,
      )
      const olderSizes = [...new Set([1, 2, 255, 256, 257, 65_536, 69_999, size])].filter(
        (older) => older <= size,
      )
      const previous = sizes.filter((older) => older <= size).map(noteOf)
      const verdict = await askGo({
        log: folderOf(size),
        vkey,
        withEntries: true,
        indexes,
        olderSizes,
        previous,
      })
      expect(verdict).toMatchObject({ origin, size, tiles, entries: size, inclusion: indexes })
      expect(verdict.consistency).toEqual(olderSizes)
      const { root } = parseCheckpointNote(noteOf(size)).checkpoint
      expect(verdict.root).toBe(Buffer.from(root).toString('base64'))
    },
  )

  it('golang.org/x/mod verifies a log over HTTP, with full tiles in place of deleted partial ones', async () => {
    const server = await startUpstream((request, response) => {
      try {
        response.end(readFileSync(join(folderOf(70_000), request.url ?? '')))
      } catch {
        response.writeHead(404).end()
      }
    })
    try {
      const verdict = await askGo({ log: server.origin, vkey, indexes: [69_999], olderSizes: [257] })
      expect(verdict).toMatchObject({ size: 70_000, tiles: 277 })
      // The old checkpoint with the tiles of a later tree, as after partial tiles were deleted.
      writeFileSync(join(folderOf(70_000), 'checkpoint'), noteOf(257))
      const older = await askGo({ log: server.origin, vkey, indexes: [256] })
      expect(older).toMatchObject({ size: 257, tiles: 3 })
      expect(server.arrived.map(({ url }) => url)).toContain('/tile/0/001.p/1')
    } finally {
      writeFileSync(join(folderOf(70_000), 'checkpoint'), noteOf(70_000))
      server.close()
    }
  })

  it('golang.org/x/mod verifies a checkpoint with unknown cosignatures', async () => {
    const { note } = parseCheckpointNote(noteOf(2))
    const cosigned = [...note.signatures, cosign(primitives, note.text, witness('w1').signer, now)]
    writeFileSync(join(folderOf(2), 'checkpoint'), encodeNote({ text: note.text, signatures: cosigned }))
    expect(await askGo({ log: folderOf(2), vkey })).toMatchObject({ size: 2 })
    writeFileSync(join(folderOf(2), 'checkpoint'), noteOf(2))
  })

  it('golang.org/x/mod verifies separate proofs', async () => {
    const hashes = Array.from({ length: 257 }, (_, i) => hashLeaf(primitives, entryAt(i)))
    const tree = plainTree(hashes)
    const proofOf = (index: number): { proof: string; leaf: Uint8Array } => {
      const path = foldPlan(primitives, inclusionPlan(index, 257), ({ level, index: at }) =>
        tree.mth(at * 2 ** level, (at + 1) * 2 ** level),
      )
      const proof = { extra: Uint8Array.of(1), index, hashes: path, checkpoint: noteOf(257) }
      return { proof: encodeTlogProof(proof), leaf: entryAt(index) }
    }
    const proofs = [0, 5, 255, 256].map(proofOf)
    expect(await askGo({ log: folderOf(257), vkey, proofs })).toMatchObject({ proofs: 4 })
    const wrong = { ...proofOf(5), leaf: entryAt(6) }
    await expect(askGo({ log: folderOf(257), vkey, proofs: [wrong] })).rejects.toThrow(/judge: /)
  })

  it.each([
    'tile/0/000',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/001.p/1',
    'checkpoint',
  ])('golang.org/x/mod detects a flipped bit in %s', async (path) => {
    const file = join(folderOf(257), path)
    const good = readFileSync(file)
    try {
      for (const at of [0, Math.floor(good.length / 2), good.length - 1]) {
        writeFileSync(file, flipped(good, at))
        await expect(askGo({ log: folderOf(257), vkey, withEntries: true }), `${at}`).rejects.toThrow(
          /judge: /,
        )
      }
    } finally {
      writeFileSync(file, good)
    }
  })

  it('golang.org/x/mod refuses a key that did not sign and an old checkpoint of another tree', async () => {
    const other = encodeVerifierKey(primitives, { ...logKey, publicKey: witness('w1').signer.publicKey })
    await expect(askGo({ log: folderOf(2), vkey: other })).rejects.toThrow(/judge: /)
    await expect(askGo({ log: folderOf(2), vkey, previous: [noteOf(257)] })).rejects.toThrow(/judge: /)
  })
})

describe('openssl', () => {
  it.each(sizes)('OpenSSL verifies the checkpoint of %i entries as a signature over three lines', (size) => {
    const { text, signatures } = parseCheckpointNote(noteOf(size)).note
    const [signature = new Uint8Array(0)] = signatures.map((each) => each.signature)
    expect(opensslVerifies(encodeUtf8(text), signature, logSigner.publicKey)).toBe(true)
    expect(opensslVerifies(encodeUtf8(`${text} `), signature, logSigner.publicKey)).toBe(false)
    expect(opensslVerifies(encodeUtf8(text), flipped(signature, 40), logSigner.publicKey)).toBe(false)
  })
})
