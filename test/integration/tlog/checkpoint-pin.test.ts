/** The checkpoint outside the database. */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { sodiumPrimitives } from '../../../service/keys/sodium-primitives.ts'
import { signCheckpoint } from '../../../service/tlog/checkpoint.ts'
import {
  type CheckpointPin,
  openCheckpointPin,
  PinnedCheckpointDamaged,
} from '../../../service/tlog/checkpoint-pin.ts'
import { testOrigin } from '../../support/log-records.ts'
import { type Machine, newMachine } from '../../support/opened-log.ts'

let machine: Machine
let checkpointPin: CheckpointPin

beforeEach(() => {
  machine = newMachine()
  checkpointPin = openCheckpointPin(machine.folder)
})

afterEach(() => machine.remove())

const key = sodiumPrimitives.ed25519KeyPair(new Uint8Array(32).fill(1))
const note = (size: number, fill = size, origin = testOrigin): string =>
  signCheckpoint({ origin, size, root: new Uint8Array(32).fill(fill) }, [key])
const lockFolder = (): string => join(machine.folder, 'pinned-checkpoints', encodeURIComponent(testOrigin))

it('the pin is empty at first, then holds the largest checkpoint, for other processes too', async () => {
  expect(await checkpointPin.find(testOrigin)).toBeUndefined()
  await checkpointPin.keep(note(5))
  await checkpointPin.keep(note(9))
  const found = { origin: testOrigin, size: 9, root: new Uint8Array(32).fill(9), note: note(9) }
  expect(await checkpointPin.find(testOrigin)).toEqual(found)
  expect(await openCheckpointPin(machine.folder).find(testOrigin)).toEqual(found)
  expect(await checkpointPin.find('other.example/audit')).toBeUndefined()
  expect(readdirSync(lockFolder())).toHaveLength(1)
})

it('a smaller checkpoint of a slow process never replaces a larger one', async () => {
  await checkpointPin.keep(note(9))
  await openCheckpointPin(machine.folder).keep(note(5))
  expect((await checkpointPin.find(testOrigin))?.size).toBe(9)
  await Promise.all(
    Array.from({ length: 20 }, (_, i) => openCheckpointPin(machine.folder).keep(note(10 + ((i * 7) % 20)))),
  )
  expect((await checkpointPin.find(testOrigin))?.size).toBe(29)
})

it('checkpoint sizes are compared as numbers', async () => {
  await checkpointPin.keep(note(1_000))
  await checkpointPin.keep(note(999))
  expect((await checkpointPin.find(testOrigin))?.size).toBe(1_000)
})

it('another checkpoint of the same size is refused', async () => {
  await checkpointPin.keep(note(5))
  await checkpointPin.keep(note(5))
  await expect(checkpointPin.keep(note(5, 6))).rejects.toThrow(PinnedCheckpointDamaged)
})

it('a pin is damaged if its file is truncated, has a changed size or is of another log', async () => {
  await checkpointPin.keep(note(5))
  const [name = ''] = readdirSync(lockFolder())
  const whole = readFileSync(join(lockFolder(), name), 'utf8')
  for (const text of [
    '',
    whole.slice(0, -1),
    whole.replace('\n5\n', '\n6\n'),
    note(5, 5, 'other.example/audit'),
  ]) {
    writeFileSync(join(lockFolder(), name), text)
    await expect(checkpointPin.find(testOrigin)).rejects.toThrow(PinnedCheckpointDamaged)
  }
})

it('leftover files of a killed process have no effect', async () => {
  await checkpointPin.keep(note(5))
  writeFileSync(join(lockFolder(), '.123-abcdef'), 'half')
  await checkpointPin.keep(note(6))
  expect((await checkpointPin.find(testOrigin))?.size).toBe(6)
})

it('the pin keeps the last successor of a log', async () => {
  expect(await checkpointPin.findSuccessor(testOrigin)).toBeUndefined()
  await checkpointPin.close(testOrigin, `${testOrigin}-2`)
  await checkpointPin.close(testOrigin, `${testOrigin}-3`)
  expect(await checkpointPin.findSuccessor(testOrigin)).toBe(`${testOrigin}-3`)
})

it('a pin that cannot be written fails', async () => {
  rmSync(machine.folder, { recursive: true })
  mkdirSync(machine.folder)
  writeFileSync(join(machine.folder, 'pinned-checkpoints'), 'a file')
  await expect(checkpointPin.keep(note(5))).rejects.toThrow()
})
