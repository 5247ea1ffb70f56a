/** What a witness must never forget, and never do twice. */
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parseVerifierKey } from '../../../crypto/tlog/signed-note.ts'
import { sodiumPrimitives as primitives } from '../../../service/keys/sodium-primitives.ts'
import { openWitnessKey, WitnessKeyError, witnessVerifierKey } from '../../../service/witness/key.ts'
import { openWitnessStore } from '../../../service/witness/store.ts'
import { checkpointOf } from '../../unit/crypto/fixed-log.ts'
import { origin } from '../../unit/crypto/note-inputs.ts'
import {
  forkedCheckpoint,
  honestBody,
  requestBody,
  startTestedWitness,
  temporaryFolder,
} from './tested-witness.ts'

let folder: ReturnType<typeof temporaryFolder>
let database: string

beforeEach(() => {
  folder = temporaryFolder()
  database = join(folder.path, 'witness.db')
})
afterEach(() => folder.remove())

describe('a witness', () => {
  it('a witness keeps its checkpoints across a restart', async () => {
    const first = await startTestedWitness({ database })
    await first.submit(0, 7)
    await first.stop()
    const second = await startTestedWitness({ database })
    expect(await second.submit(0, 70)).toMatchObject({ status: 409, text: '7\n' })
    expect((await second.submit(7, 70)).status).toBe(200)
    await second.stop()
  })

  it('of two inconsistent checkpoints sent to two servers at once, a witness cosigns one', async () => {
    const both = await Promise.all([startTestedWitness({ database }), startTestedWitness({ database })])
    const bodies = [honestBody(0, 7), requestBody(0, [], forkedCheckpoint(7))]
    const answers = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const story = i % 2
        const { status } = (await both[Math.floor(i / 2) % 2]?.post(bodies[story] ?? '')) ?? { status: 0 }
        return { story, status }
      }),
    )
    const cosigned = new Set(answers.filter(({ status }) => status === 200).map(({ story }) => story))
    expect(cosigned.size).toBe(1)
    expect(answers.filter(({ status }) => status !== 200 && status !== 409)).toEqual([])
    await Promise.all(both.map((each) => each.stop()))
  })

  it('of many checkpoints that continue the same one, a witness cosigns one', async () => {
    const tested = await startTestedWitness({ database })
    await tested.submit(0, 7)
    const sizes = Array.from({ length: 30 }, (_, i) => 8 + i)
    const answers = await Promise.all(sizes.map((size) => tested.submit(7, size)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(29)
    await tested.stop()
  })

  it('a witness that cannot store a checkpoint does not cosign it and reports the failure', async () => {
    const tested = await startTestedWitness({ database })
    await tested.submit(0, 7)
    const other = new Database(database)
    other.exec("create trigger full before insert on logs begin select raise(abort, 'disk full'); end")
    const answer = await tested.submit(7, 70)
    expect(answer).toMatchObject({ status: 500, text: 'internal error\n' })
    expect(tested.events.filter(({ kind }) => kind === 'failed')).toHaveLength(1)
    other.exec('drop trigger full')
    other.close()
    expect((await tested.submit(7, 70)).status).toBe(200)
    await tested.stop()
  })
})

describe('the memory of a witness', () => {
  it('a witness rejects a smaller checkpoint, whatever the caller decides', () => {
    const store = openWitnessStore(database)
    store.update(origin, () => checkpointOf(7))
    expect(() => store.update(origin, () => checkpointOf(5))).toThrow(/smaller/)
    expect(store.latest(origin)).toBe(checkpointOf(7))
    store.close()
  })

  it('a refusal does not change the state of a witness', () => {
    const store = openWitnessStore(database)
    store.update(origin, () => checkpointOf(7))
    expect(() =>
      store.update(origin, () => {
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(store.latest(origin)).toBe(checkpointOf(7))
    store.close()
  })

  it('every commit of a witness is flushed to the disk', () => {
    openWitnessStore(database).close()
    const connection = new Database(database)
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    connection.close()
  })

  it('a witness refuses a database of another program', () => {
    const other = new Database(database)
    other.exec('create table something (id integer)')
    other.close()
    expect(() => openWitnessStore(database)).toThrow(/another SQLite database/)
    writeFileSync(join(folder.path, 'text'), 'text that is not a database')
    expect(() => openWitnessStore(join(folder.path, 'text'))).toThrow()
  })
})

describe('the key of a witness', () => {
  const path = () => join(folder.path, 'keys', 'witness.db.key')

  it('the key of a witness is created once and only its owner can read it', () => {
    const made = openWitnessKey(path(), undefined, 'host.example/witness')
    expect(statSync(path()).mode & 0o777).toBe(0o600)
    expect(openWitnessKey(path(), undefined, 'another.example')).toEqual(made)
    expect(openWitnessKey(path(), 'host.example/witness', 'another.example')).toEqual(made)
    const key = parseVerifierKey(primitives, witnessVerifierKey(made))
    expect(key).toEqual({ kind: 'cosignature', name: 'host.example/witness', publicKey: made.publicKey })
  })

  it('every witness creates another key', () => {
    const one = openWitnessKey(path(), 'a.example', '')
    const two = openWitnessKey(`${path()}2`, 'a.example', '')
    expect(one.publicKey).not.toEqual(two.publicKey)
  })

  it('the key file keeps the name of the witness', () => {
    openWitnessKey(path(), 'a.example', '')
    expect(() => openWitnessKey(path(), 'b.example', '')).toThrow(/cannot change/)
  })

  it('a key file that others can read is refused', () => {
    openWitnessKey(path(), 'a.example', '')
    chmodSync(path(), 0o640)
    expect(() => openWitnessKey(path(), 'a.example', '')).toThrow(/chmod 600/)
  })

  it('a damaged key file is refused without printing its contents', () => {
    openWitnessKey(path(), 'a.example', '')
    const text = readFileSync(path(), 'utf8')
    const wrong = [
      text.slice(0, -1),
      text.slice(0, 40),
      text.replace('a.example', 'b.example'),
      '',
      'x'.repeat(60),
    ]
    for (const bad of wrong) {
      writeFileSync(path(), bad)
      const open = (): unknown => openWitnessKey(path(), undefined, '')
      expect(open).toThrow(WitnessKeyError)
      expect(open).not.toThrow(text.slice(-30, -1))
    }
  })

  it('the name of a witness is valid in a note', () => {
    mkdirSync(join(folder.path, 'keys'))
    for (const name of ['', 'a b', 'a+b', 'a\nb'])
      expect(() => openWitnessKey(path(), name, 'x')).toThrow(WitnessKeyError)
  })
})
