/** The checkpoint outside the database. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sodiumPrimitives } from '../../service/keys/sodium-primitives.ts'
import { type Anchor, AnchorDamaged, openAnchor } from '../../service/log/anchor.ts'
import { signCheckpoint } from '../../service/log/checkpoint-note.ts'
import { testOrigin } from '../support/log-records.ts'
import { type Machine, newMachine } from '../support/opened-log.ts'

let machine: Machine
let anchor: Anchor

beforeEach(() => {
  machine = newMachine()
  anchor = openAnchor(machine.folder)
})

afterEach(() => machine.remove())

const key = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(1))
const note = (size: number, fill = size, origin = testOrigin): string =>
  signCheckpoint({ origin, size, root: new Uint8Array(32).fill(fill) }, [key])
const place = (): string => join(machine.folder, 'log-anchor', encodeURIComponent(testOrigin))

it('has nothing at first, then the largest checkpoint that was kept, for another process too', async () => {
  expect(await anchor.find(testOrigin)).toBeUndefined()
  await anchor.keep(note(5))
  await anchor.keep(note(9))
  const found = { origin: testOrigin, size: 9, root: new Uint8Array(32).fill(9), note: note(9) }
  expect(await anchor.find(testOrigin)).toEqual(found)
  expect(await openAnchor(machine.folder).find(testOrigin)).toEqual(found)
  expect(await anchor.find('other.example/audit')).toBeUndefined()
  expect(readdirSync(place())).toHaveLength(1)
})

it('never goes back, whatever process comes late', async () => {
  await anchor.keep(note(9))
  await openAnchor(machine.folder).keep(note(5))
  expect((await anchor.find(testOrigin))?.size).toBe(9)
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => openAnchor(machine.folder).keep(note(10 + ((i * 7) % 20)))),
  )
  expect((await anchor.find(testOrigin))?.size).toBe(29)
})

it('sorts sizes as numbers', async () => {
  await anchor.keep(note(1_000))
  await anchor.keep(note(999))
  expect((await anchor.find(testOrigin))?.size).toBe(1_000)
})

it('refuses another checkpoint of the same size', async () => {
  await anchor.keep(note(5))
  await anchor.keep(note(5))
  await expect(anchor.keep(note(5, 6))).rejects.toThrow(AnchorDamaged)
})

it('says that it is damaged when its file is cut, changed in its size or of another log', async () => {
  await anchor.keep(note(5))
  const [name = ''] = readdirSync(place())
  const whole = readFileSync(join(place(), name), 'utf8')
  for (const text of [
    '',
    whole.slice(0, -1),
    whole.replace('\n5\n', '\n6\n'),
    note(5, 5, 'other.example/audit'),
  ]) {
    writeFileSync(join(place(), name), text)
    await expect(anchor.find(testOrigin)).rejects.toThrow(AnchorDamaged)
  }
})

it('is not disturbed by what a process that died has left', async () => {
  await anchor.keep(note(5))
  writeFileSync(join(place(), '.123-abcdef'), 'half')
  await anchor.keep(note(6))
  expect((await anchor.find(testOrigin))?.size).toBe(6)
})

it('keeps the name of the log that goes on, the last one that was said', async () => {
  expect(await anchor.findSuccessor(testOrigin)).toBeUndefined()
  await anchor.close(testOrigin, `${testOrigin}-2`)
  await anchor.close(testOrigin, `${testOrigin}-3`)
  expect(await anchor.findSuccessor(testOrigin)).toBe(`${testOrigin}-3`)
})

it('fails when it cannot write', async () => {
  rmSync(machine.folder, { recursive: true })
  mkdirSync(machine.folder)
  writeFileSync(join(machine.folder, 'log-anchor'), 'a file')
  await expect(anchor.keep(note(5))).rejects.toThrow()
})
