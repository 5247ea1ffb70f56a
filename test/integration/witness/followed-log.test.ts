/** A witness that polls a log over HTTP and computes the proof from the log's tiles. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { parseCheckpointNote, signCheckpoint } from '../../../crypto/tlog/checkpoint.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import type { WitnessEvent } from '../../../service/witness/server.ts'
import { writeLog } from '../../conformance/judges/tile-folder.ts'
import type { TestUpstream } from '../../support/upstream.ts'
import { startUpstream } from '../../support/upstream.ts'
import { fixed } from '../../unit/crypto/fixed-inputs.ts'
import { logKey, logSigner, noteSigner, origin } from '../../unit/crypto/note-inputs.ts'
import type { TestedWitness } from './tested-witness.ts'
import { startTestedWitness, temporaryFolder } from './tested-witness.ts'

const log = temporaryFolder()
const sizes = [1, 300, 70_000] as const
const notes = new Map<number, string>()
let server: TestUpstream
let folder: ReturnType<typeof temporaryFolder>
let tested: TestedWitness
/** What the log serves as its checkpoint. */
let checkpoint: string | undefined

beforeAll(async () => {
  for (const size of sizes) notes.set(size, writeLog(log.path, size))
  server = await startUpstream((request, response) => {
    const path = request.url ?? ''
    try {
      if (path === '/log/checkpoint' && checkpoint === undefined) throw new Error('down')
      response.end(path === '/log/checkpoint' ? checkpoint : readFileSync(join(log.path, path.slice(5))))
    } catch {
      response.writeHead(404).end()
    }
  })
})
afterAll(() => {
  server.close()
  log.remove()
})

beforeEach(async () => {
  folder = temporaryFolder()
  checkpoint = notes.get(1)
  tested = await startTestedWitness({
    database: join(folder.path, 'witness.db'),
    logs: [{ key: logKey, url: `${server.origin}/log/` }],
    period: 20,
  })
})
afterEach(async () => {
  await tested.stop()
  folder.remove()
})

const lastEvent = (): WitnessEvent | undefined => tested.events.at(-1)
const untilSeen = (size: number) =>
  vi.waitFor(() => expect(lastEvent()).toMatchObject({ kind: 'seen', size }), { timeout: 60_000 })
const untilEvent = (event: object) =>
  vi.waitFor(() => expect(lastEvent()).toMatchObject(event), { timeout: 60_000 })

describe('a witness that follows a log', () => {
  it('a witness cosigns the log that it follows as it grows', async () => {
    for (const size of sizes) {
      checkpoint = notes.get(size)
      await untilSeen(size)
    }
    const hash = Buffer.from(primitives.sha256(Buffer.from(origin))).toString('hex')
    expect((await tested.get(`/${hash}/checkpoint`)).text).toContain('\n70000\n')
  })

  it('a witness reads only the tiles of the proof', async () => {
    checkpoint = notes.get(300)
    await untilSeen(300)
    server.arrived.length = 0
    checkpoint = notes.get(70_000)
    await untilSeen(70_000)
    const tiles = new Set(server.arrived.map(({ url }) => url).filter((url) => url.includes('/tile/')))
    expect(tiles.size).toBeLessThanOrEqual(6)
  })

  it('a witness reads the full tile where the partial one is gone', async () => {
    checkpoint = notes.get(1)
    await untilSeen(1)
    rmSync(join(log.path, 'tile/0/001.p/44'))
    checkpoint = notes.get(300)
    await untilSeen(300)
    writeLog(log.path, 300)
  })

  it('a witness reports a log that was rolled back, and continues when it has grown again', async () => {
    checkpoint = notes.get(300)
    await untilSeen(300)
    checkpoint = notes.get(1)
    await untilEvent({
      kind: 'inconsistent',
      origin,
      notes: [notes.get(1), expect.stringContaining('\n300\n')],
    })
    checkpoint = notes.get(70_000)
    await untilSeen(70_000)
  })

  it('a witness reports a log that was rewritten', async () => {
    checkpoint = notes.get(300)
    await untilSeen(300)
    const forged = signCheckpoint(primitives, { origin, size: 400, root: fixed('another tree') }, [logSigner])
    checkpoint = forged
    await untilEvent({ kind: 'inconsistent', origin, message: 'the consistency proof is invalid' })
    checkpoint = notes.get(300)
    await untilSeen(300)
  })

  it('a witness reports an unreadable log and one with a foreign signature', async () => {
    await untilSeen(1)
    checkpoint = undefined
    await untilEvent({ kind: 'unreadable', message: 'the log has no checkpoint' })
    checkpoint = 'hello'
    await untilEvent({ kind: 'unreadable', message: 'the checkpoint or a tile is malformed' })
    const { checkpoint: state } = parseCheckpointNote(notes.get(300) ?? '')
    checkpoint = signCheckpoint(primitives, state, [noteSigner(origin, 'somebody else')])
    await untilEvent({ kind: 'unreadable', message: 'the checkpoint has no valid signature of the log' })
    writeFileSync(join(log.path, 'tile/0/001.p/44'), 'short')
    checkpoint = notes.get(300)
    await untilEvent({ kind: 'unreadable', message: 'a tile is missing' })
    writeLog(log.path, 300)
    await untilSeen(300)
  })
})
